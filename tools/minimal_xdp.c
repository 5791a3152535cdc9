// SPDX-License-Identifier: Apache-2.0
// Round trips on a bare AF_XDP socket: what tools.ping_pong does on nic.af_xdp, without its classes.
//
// The yardstick of `tickwire bench ports`: the same rings of the same sizes, the same bind flags, the
// same work on each packet (headers parsed, the answer's headers made with real checksums), and
// nothing else: no counters, no time stamps, no accounts, no errors but the fatal ones. Compiled and
// called by tools/minimal_xdp.py, which also loads the XDP program.
// Source: kernel document networking/af_xdp, headers linux/if_xdp.h, linux/ip.h, linux/udp.h.

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_xdp.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <x86intrin.h>

#ifndef XDP_MAX_TX_SKB_BUDGET
#define XDP_MAX_TX_SKB_BUDGET 9  // linux 6.17
#endif

enum { CHUNK_BYTES = 2048, BURST = 16, HUGE_PAGE_BYTES = 2097152, KICKS = 64 };
enum { HEADERS = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr) };

struct ring {
    uint32_t *producer, *consumer, *flags;
    void *entries;
    uint32_t mask, position;
};

struct side {
    int fd;
    uint8_t *umem;
    struct ring fill, completion, rx, tx;
    uint64_t *free_frames;
    uint32_t free_count;
    struct ethhdr ethernet;
    uint32_t source, destination;  // network byte order
    uint16_t source_port, destination_port;
    uint32_t payload_bytes;
};

static uint32_t load(const uint32_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }
static struct xdp_desc *descriptor(struct ring *r, uint32_t i)
{ return &((struct xdp_desc *)r->entries)[i & r->mask]; }
static uint64_t *address(struct ring *r, uint32_t i)
{ return &((uint64_t *)r->entries)[i & r->mask]; }

static int map_ring(int fd, struct ring *r, uint64_t page, uint32_t entries,
                     const struct xdp_ring_offset *at, size_t entry_bytes)
{
    uint8_t *area = mmap(NULL, at->desc + entries * entry_bytes, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, fd, (off_t)page);
    if (area == MAP_FAILED)
        return -errno;
    r->producer = (uint32_t *)(area + at->producer);
    r->consumer = (uint32_t *)(area + at->consumer);
    r->flags = (uint32_t *)(area + at->flags);
    r->entries = area + at->desc;
    r->mask = entries - 1;
    return 0;
}

static int set_up(struct side *s, int index, uint32_t received, uint32_t sent)
{
    size_t bytes = (size_t)(received + sent) * CHUNK_BYTES;
    size_t rounded = (bytes + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, budget = 256, error;
    struct xdp_umem_reg memory = {.len = bytes, .chunk_size = CHUNK_BYTES};
    struct sockaddr_xdp to = {.sxdp_family = AF_XDP, .sxdp_ifindex = (uint32_t)index};
    struct xdp_mmap_offsets at;
    socklen_t size = sizeof(at);

    if ((s->fd = socket(AF_XDP, SOCK_RAW, 0)) < 0)
        return -errno;
    s->umem = mmap(NULL, rounded, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB, -1, 0);
    if (s->umem == MAP_FAILED)
        s->umem = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (s->umem == MAP_FAILED)
        return -errno;
    memory.addr = (uint64_t)s->umem;
    if (setsockopt(s->fd, SOL_XDP, XDP_UMEM_REG, &memory, sizeof(memory)) ||
        setsockopt(s->fd, SOL_XDP, XDP_UMEM_FILL_RING, &received, sizeof(received)) ||
        setsockopt(s->fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &sent, sizeof(sent)) ||
        setsockopt(s->fd, SOL_XDP, XDP_RX_RING, &received, sizeof(received)) ||
        setsockopt(s->fd, SOL_XDP, XDP_TX_RING, &sent, sizeof(sent)) ||
        getsockopt(s->fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &size))
        return -errno;
    if ((error = map_ring(s->fd, &s->fill, XDP_UMEM_PGOFF_FILL_RING, received, &at.fr, 8)) ||
        (error = map_ring(s->fd, &s->completion, XDP_UMEM_PGOFF_COMPLETION_RING, sent, &at.cr,
                           8)) ||
        (error = map_ring(s->fd, &s->rx, XDP_PGOFF_RX_RING, received, &at.rx,
                           sizeof(struct xdp_desc))) ||
        (error = map_ring(s->fd, &s->tx, XDP_PGOFF_TX_RING, sent, &at.tx,
                           sizeof(struct xdp_desc))))
        return error;
    for (uint32_t i = 0; i < received; i++)
        *address(&s->fill, i) = (uint64_t)i * CHUNK_BYTES;
    s->fill.position = received;
    store(s->fill.producer, received);
    if (!(s->free_frames = calloc(sent, sizeof(uint64_t))))
        return -ENOMEM;
    for (s->free_count = 0; s->free_count < sent; s->free_count++)
        s->free_frames[s->free_count] = (uint64_t)(received + s->free_count) * CHUNK_BYTES;
    to.sxdp_flags = XDP_USE_NEED_WAKEUP | XDP_ZEROCOPY;
    if (bind(s->fd, (struct sockaddr *)&to, sizeof(to))) {
        to.sxdp_flags = XDP_USE_NEED_WAKEUP | XDP_COPY;
        if (bind(s->fd, (struct sockaddr *)&to, sizeof(to)))
            return -errno;
    }
    setsockopt(s->fd, SOL_XDP, XDP_MAX_TX_SKB_BUDGET, &budget, sizeof(budget));
    return 0;
}

void minimal_close(struct side *s)
{
    // The mappings go with the process: a benchmark ends with it.
    if (s->fd >= 0)
        close(s->fd);
    free(s->free_frames);
    free(s);
}

// A side of the round trip; NULL with *error set to an error number. Addresses in host byte order.
struct side *minimal_open(int index, uint32_t received, uint32_t sent, const uint8_t *own,
                          const uint8_t *peer, uint32_t source, uint16_t source_port,
                          uint32_t destination, uint16_t destination_port, uint32_t payload_bytes,
                          int *error)
{
    struct side *s = calloc(1, sizeof(*s));
    if (!s) {
        *error = ENOMEM;
        return NULL;
    }
    s->fd = -1;
    memcpy(s->ethernet.h_source, own, ETH_ALEN);
    memcpy(s->ethernet.h_dest, peer, ETH_ALEN);
    s->ethernet.h_proto = htons(ETH_P_IP);
    s->source = htonl(source);
    s->destination = htonl(destination);
    s->source_port = htons(source_port);
    s->destination_port = htons(destination_port);
    s->payload_bytes = payload_bytes;
    *error = -set_up(s, index, received, sent);
    if (*error) {
        minimal_close(s);
        return NULL;
    }
    return s;
}

int minimal_descriptor(const struct side *s) { return s->fd; }

static uint64_t sum(const uint8_t *data, uint32_t length)
{
    uint64_t total = 0;
    uint32_t at = 0, word;
    uint16_t half;
    for (; at + 4 <= length; at += 4) {
        memcpy(&word, data + at, 4);
        total += word;
    }
    if (at + 2 <= length) {
        memcpy(&half, data + at, 2);
        total += half;
        at += 2;
    }
    return at < length ? total + data[at] : total;
}

static uint16_t fold(uint64_t total)
{
    total = (uint32_t)total + (total >> 32);
    total = (uint16_t)total + (total >> 16);
    total = (uint16_t)total + (total >> 16);
    return (uint16_t)((uint16_t)total + (total >> 16));
}

static void reclaim(struct side *s)
{
    uint32_t produced = load(s->completion.producer);
    while (s->completion.position != produced)
        s->free_frames[s->free_count++] = *address(&s->completion, s->completion.position++);
    store(s->completion.consumer, s->completion.position);
}

// One packet with this number, made where the kernel reads it, and sent.
static void send_number(struct side *s, uint64_t number)
{
    uint32_t length = HEADERS + s->payload_bytes;
    uint64_t frame, pseudo;
    uint8_t *data;
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 1, .protocol = IPPROTO_UDP};
    struct udphdr udp = {.source = s->source_port, .dest = s->destination_port};
    struct xdp_desc *entry;
    if (!s->free_count)
        reclaim(s);
    if (!s->free_count)
        return;
    frame = s->free_frames[--s->free_count];
    data = s->umem + frame;
    memset(data + HEADERS, 0, s->payload_bytes);
    memcpy(data + HEADERS, &number, sizeof(number));
    ip.tot_len = htons((uint16_t)(length - sizeof(struct ethhdr)));
    ip.id = htons((uint16_t)number);
    ip.frag_off = htons(0x4000);
    ip.saddr = s->source;
    ip.daddr = s->destination;
    ip.check = (uint16_t)~fold(sum((uint8_t *)&ip, sizeof(ip)));
    udp.len = htons((uint16_t)(sizeof(udp) + s->payload_bytes));
    pseudo = sum((uint8_t *)&ip.saddr, 8) + htons(IPPROTO_UDP) + udp.len;
    memcpy(data, &s->ethernet, sizeof(s->ethernet));
    memcpy(data + sizeof(s->ethernet), &ip, sizeof(ip));
    memcpy(data + HEADERS - sizeof(udp), &udp, sizeof(udp));
    udp.check = (uint16_t)~fold(pseudo + sum(data + HEADERS - sizeof(udp),
                                             sizeof(udp) + s->payload_bytes));
    if (!udp.check)
        udp.check = 0xFFFF;
    memcpy(data + HEADERS - sizeof(udp), &udp, sizeof(udp));
    entry = descriptor(&s->tx, s->tx.position);
    entry->addr = frame;
    entry->len = length;
    entry->options = 0;
    store(s->tx.producer, ++s->tx.position);
    for (int i = 0; i < KICKS && load(s->tx.consumer) != s->tx.position; i++)
        if (*s->tx.flags & XDP_RING_NEED_WAKEUP &&
            sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != EINTR)
            break;
    reclaim(s);
}

// The number in a packet, taken apart with the checks of nic/frame.pxd; 0 where it is none of ours.
static int parse(const uint8_t *data, uint32_t length, uint64_t *number)
{
    const struct ethhdr *ethernet = (const struct ethhdr *)data;
    const struct iphdr *ip = (const struct iphdr *)(ethernet + 1);
    const struct udphdr *udp;
    uint32_t header, total;
    if (length < HEADERS + sizeof(*number) || ethernet->h_proto != htons(ETH_P_IP))
        return 0;
    header = ip->ihl * 4u;
    total = ntohs(ip->tot_len);
    if (ip->version != 4 || header < sizeof(*ip) || header + sizeof(*udp) + sizeof(*number) > total
        || total > length - sizeof(*ethernet) || fold(sum((const uint8_t *)ip, header)) != 0xFFFF
        || ntohs(ip->frag_off) & 0x3FFF || ip->protocol != IPPROTO_UDP)
        return 0;
    udp = (const struct udphdr *)((const uint8_t *)ip + header);
    if (ntohs(udp->len) < sizeof(*udp) + sizeof(*number) || ntohs(udp->len) > total - header)
        return 0;
    memcpy(number, udp + 1, sizeof(*number));
    return 1;
}

// Whether a packet came; the number of the last one.
static int take(struct side *s, uint64_t *number)
{
    uint32_t count = load(s->rx.producer) - s->rx.position, i;
    int came = 0;
    if (!count) {
        if (*s->fill.flags & XDP_RING_NEED_WAKEUP)
            recvfrom(s->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
        return 0;
    }
    if (count > BURST)
        count = BURST;
    for (i = 0; i < count; i++) {
        struct xdp_desc *entry = descriptor(&s->rx, s->rx.position + i);
        came |= parse(s->umem + entry->addr, entry->len, number);
    }
    for (i = 0; i < count; i++)
        *address(&s->fill, s->fill.position++) =
            descriptor(&s->rx, s->rx.position++)->addr & ~(uint64_t)(CHUNK_BYTES - 1);
    store(s->rx.consumer, s->rx.position);
    store(s->fill.producer, s->fill.position);
    return came;
}

// Send every packet back, until the end mark or a long silence; how many those were.
uint64_t minimal_answer(struct side *s, uint64_t idle_ticks)
{
    uint64_t number = 0, answered = 0, last = __rdtsc();
    while (__rdtsc() - last < idle_ticks) {
        if (!take(s, &number))
            continue;
        if (number == UINT64_MAX)
            break;
        send_number(s, number);
        answered++;
        last = __rdtsc();
    }
    return answered;
}

// Fill in round trips, 0 where an answer did not come in time; how many did not.
uint64_t minimal_ask(struct side *s, uint64_t *ticks, uint64_t count, uint64_t patience_ticks)
{
    uint64_t number = 0, lost = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t start = __rdtsc(), now = start;
        ticks[i] = 0;
        send_number(s, i);
        while (now - start < patience_ticks) {
            if (take(s, &number) && number == i) {
                ticks[i] = __rdtsc() - start;
                break;
            }
            now = __rdtsc();
        }
        lost += ticks[i] == 0;
    }
    return lost;
}

void minimal_end(struct side *s) { send_number(s, UINT64_MAX); }
