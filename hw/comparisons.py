# SPDX-License-Identifier: Apache-2.0
"""Every comparison of two numbers as one chain of carries, with nothing behind it.

Whether two wide ones are equal, too: in a chain's cells that never make a carry, only hand on the
one they get, two bits of each number in a half. Out of look-up tables it is a tree, of 24 bits five
of them behind each other in the risk gate, with a wire between any two. The chain has one wire in
and one out.

By itself yosys makes "below, or equal" of ``a <= b`` and "neither below nor equal" of ``a > b``,
and compares all bits a second time behind the chain. But ``a <= b`` is ``2 * a < 2 * b + 1``, and
``a > b`` is ``b < a``. Of signed numbers it looks at the signs behind the chain; with their highest
bits turned over they are compared as unsigned ones.

A chain of ECP5 takes two bits in each of its cells, and the carry comes out behind the second one:
behind an odd number of bits yosys takes the last one out of the chain. So there is one more.
"""

MAP = """
(* techmap_celltype = "$lt $le $gt $ge" *)
module comparison (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    parameter _TECHMAP_CELLTYPE_ = "";
    parameter [A_WIDTH-1:0] _TECHMAP_CONSTMSK_A_ = 0;
    parameter [B_WIDTH-1:0] _TECHMAP_CONSTMSK_B_ = 0;
    localparam SIGNED = A_SIGNED && B_SIGNED;
    localparam WIDTH = A_WIDTH > B_WIDTH ? A_WIDTH : B_WIDTH;
    wire _TECHMAP_FAIL_ = &_TECHMAP_CONSTMSK_A_ || &_TECHMAP_CONSTMSK_B_
        || (_TECHMAP_CELLTYPE_ == "$lt" && !SIGNED);
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire [WIDTH-1:0] left, right;
    generate
        if (SIGNED) begin
            wire signed [A_WIDTH-1:0] a = A;
            wire signed [B_WIDTH-1:0] b = B;
            wire signed [WIDTH-1:0] wide_a = a;
            wire signed [WIDTH-1:0] wide_b = b;
            assign left = wide_a ^ {1'b1, {WIDTH-1{1'b0}}};
            assign right = wide_b ^ {1'b1, {WIDTH-1{1'b0}}};
        end else begin
            assign left = A;
            assign right = B;
        end
        if (_TECHMAP_CELLTYPE_ == "$lt")
            \\$lt #(.A_SIGNED(0), .A_WIDTH(WIDTH), .B_SIGNED(0), .B_WIDTH(WIDTH), .Y_WIDTH(Y_WIDTH))
                below (.A(left), .B(right), .Y(Y));
        else if (_TECHMAP_CELLTYPE_ == "$gt")
            \\$lt #(.A_SIGNED(0), .A_WIDTH(WIDTH), .B_SIGNED(0), .B_WIDTH(WIDTH), .Y_WIDTH(Y_WIDTH))
                below (.A(right), .B(left), .Y(Y));
        else if (_TECHMAP_CELLTYPE_ == "$le")
            \\$lt #(.A_SIGNED(0), .A_WIDTH(WIDTH + 1), .B_SIGNED(0), .B_WIDTH(WIDTH + 1),
                .Y_WIDTH(Y_WIDTH)) below (.A({left, 1'b0}), .B({right, 1'b1}), .Y(Y));
        else
            \\$lt #(.A_SIGNED(0), .A_WIDTH(WIDTH + 1), .B_SIGNED(0), .B_WIDTH(WIDTH + 1),
                .Y_WIDTH(Y_WIDTH)) below (.A({right, 1'b0}), .B({left, 1'b1}), .Y(Y));
    endgenerate
endmodule
"""
"""For the pass ``techmap`` of yosys, at the beginning. What is compared with a constant stays as it
is: yosys has shorter ways for many of them."""

CHAINS = """
(* techmap_celltype = "$alu" *)
module even_difference (A, B, CI, BI, X, Y, CO);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    parameter _TECHMAP_CONSTMSK_BI_ = 0;
    parameter _TECHMAP_CONSTVAL_BI_ = 0;
    localparam SIGNED = A_SIGNED && B_SIGNED;
    wire _TECHMAP_FAIL_ = Y_WIDTH % 2 == 0 || Y_WIDTH < 3
        || _TECHMAP_CONSTMSK_BI_ != 1 || _TECHMAP_CONSTVAL_BI_ != 1;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    input CI, BI;
    output [Y_WIDTH-1:0] X, Y, CO;
    wire [Y_WIDTH-1:0] left, right;
    generate
        if (SIGNED) begin
            wire signed [A_WIDTH-1:0] a = A;
            wire signed [B_WIDTH-1:0] b = B;
            wire signed [Y_WIDTH-1:0] wide_a = a;
            wire signed [Y_WIDTH-1:0] wide_b = b;
            assign left = wide_a;
            assign right = wide_b;
        end else begin
            assign left = A;
            assign right = B;
        end
    endgenerate
    wire [Y_WIDTH:0] x, y, carries;
    \\$alu #(.A_SIGNED(0), .B_SIGNED(0), .A_WIDTH(Y_WIDTH + 1), .B_WIDTH(Y_WIDTH + 1),
        .Y_WIDTH(Y_WIDTH + 1)) even (.A({1'b0, left}), .B({1'b0, right}), .CI(CI), .BI(1'b1),
        .X(x), .Y(y), .CO(carries));
    assign X = x[Y_WIDTH-1:0];
    assign Y = y[Y_WIDTH-1:0];
    assign CO = {carries[Y_WIDTH], carries[Y_WIDTH-2:0]};
endmodule
"""
"""For ``techmap`` when there are chains, before they become cells: the bit more of a difference, 0
less 0, hands the carry on."""

EQUALITIES = """
(* techmap_celltype = "$eq" *)
module equality (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    parameter [A_WIDTH-1:0] _TECHMAP_CONSTMSK_A_ = 0;
    parameter [B_WIDTH-1:0] _TECHMAP_CONSTMSK_B_ = 0;
    localparam CELLS = (A_WIDTH + 3) / 4;
    wire _TECHMAP_FAIL_ = A_WIDTH != B_WIDTH || A_WIDTH < 24
        || &_TECHMAP_CONSTMSK_A_ || &_TECHMAP_CONSTMSK_B_;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    wire [4*CELLS-1:0] a = A;
    wire [4*CELLS-1:0] b = B;
    wire [CELLS:0] carries;
    assign carries[0] = 1'b1;
    assign Y = carries[CELLS];
    genvar i;
    generate
        for (i = 0; i < CELLS; i = i + 1) begin
            CCU2C #(.INIT0(16'h9009), .INIT1(16'h9009), .INJECT1_0("YES"), .INJECT1_1("YES")) same (
                .CIN(carries[i]), .COUT(carries[i+1]),
                .A0(a[4*i]), .B0(b[4*i]), .C0(a[4*i+1]), .D0(b[4*i+1]),
                .A1(a[4*i+2]), .B1(b[4*i+2]), .C1(a[4*i+3]), .D1(b[4*i+3]));
        end
    endgenerate
endmodule
"""
"""For ``techmap`` at the same time. Narrower ones stay trees, which are shallower; where the border
lies best was not measured."""
