# SPDX-License-Identifier: Apache-2.0
"""Every comparison of two numbers as one chain of carries.

By itself yosys makes "below, or equal" of ``a <= b`` and "neither below nor equal" of ``a > b``,
and compares all bits a second time behind the chain. But ``a <= b`` is ``2 * a < 2 * b + 1``, and
``a > b`` is ``b < a``.
"""

MAP = """
(* techmap_celltype = "$le $ge $gt" *)
module not_below (A, B, Y);
    parameter A_SIGNED = 0;
    parameter B_SIGNED = 0;
    parameter A_WIDTH = 1;
    parameter B_WIDTH = 1;
    parameter Y_WIDTH = 1;
    parameter _TECHMAP_CELLTYPE_ = "";
    parameter [A_WIDTH-1:0] _TECHMAP_CONSTMSK_A_ = 0;
    parameter [B_WIDTH-1:0] _TECHMAP_CONSTMSK_B_ = 0;
    wire _TECHMAP_FAIL_ = &_TECHMAP_CONSTMSK_A_ || &_TECHMAP_CONSTMSK_B_;
    input [A_WIDTH-1:0] A;
    input [B_WIDTH-1:0] B;
    output [Y_WIDTH-1:0] Y;
    generate
        if (_TECHMAP_CELLTYPE_ == "$le")
            \\$lt #(
                .A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH + 1),
                .B_SIGNED(B_SIGNED), .B_WIDTH(B_WIDTH + 1), .Y_WIDTH(Y_WIDTH)
            ) below (.A({A, 1'b0}), .B({B, 1'b1}), .Y(Y));
        else if (_TECHMAP_CELLTYPE_ == "$gt")
            \\$lt #(
                .A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH),
                .B_SIGNED(A_SIGNED), .B_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)
            ) below (.A(B), .B(A), .Y(Y));
        else
            \\$lt #(
                .A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH + 1),
                .B_SIGNED(A_SIGNED), .B_WIDTH(A_WIDTH + 1), .Y_WIDTH(Y_WIDTH)
            ) below (.A({B, 1'b0}), .B({A, 1'b1}), .Y(Y));
    endgenerate
endmodule
"""
"""For the pass ``techmap`` of yosys. What is compared with a constant stays as it is: yosys has
shorter ways for many of them."""
