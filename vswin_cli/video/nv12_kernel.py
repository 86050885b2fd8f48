"""Triton kernel that scales NV12 and P010 frames and converts them to RGB.

Import this module only where Triton is installed; `vswin_cli.video.nv12` prepares the arguments.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["convert_frames"]


@triton.jit
def convert_frames(
    planes,
    luma_stride,
    chroma_stride,
    rows,
    row_weights,
    columns,
    column_weights,
    chroma_rows,
    chroma_row_weights,
    chroma_columns,
    chroma_column_weights,
    out,
    height,
    width,
    luma_scale: tl.constexpr,
    luma_offset: tl.constexpr,
    red_v: tl.constexpr,
    green_u: tl.constexpr,
    green_v: tl.constexpr,
    blue_u: tl.constexpr,
    row_taps: tl.constexpr,
    column_taps: tl.constexpr,
    chroma_row_taps: tl.constexpr,
    chroma_column_taps: tl.constexpr,
    halves_chroma: tl.constexpr,
    is_deep: tl.constexpr,
    block_height: tl.constexpr,
    block_width: tl.constexpr,
):
    """Convert one block of pixels of one frame; grid: (frames, rows / block, columns / block).

    Pointers: `planes` (N, 2) int64 addresses of luma and chroma; `rows` (H,) and the other first
    taps int32; weights (H, taps) float32; `out` (N, H, W, 3) uint8. Strides are in samples.
    """
    frame = tl.program_id(0)
    y = tl.program_id(1) * block_height + tl.arange(0, block_height)
    x = tl.program_id(2) * block_width + tl.arange(0, block_width)
    in_y, in_x = y < height, x < width
    address = tl.load(planes + 2 * frame)
    chroma_address = tl.load(planes + 2 * frame + 1)
    if is_deep:
        luma_plane = address.to(tl.pointer_type(tl.uint16))
        chroma_plane = chroma_address.to(tl.pointer_type(tl.uint16))
    else:
        luma_plane = address.to(tl.pointer_type(tl.uint8))
        chroma_plane = chroma_address.to(tl.pointer_type(tl.uint8))

    row = tl.load(rows + y, mask=in_y, other=0)
    column = tl.load(columns + x, mask=in_x, other=0)
    luma = tl.zeros((block_height, block_width), tl.float32)
    for i in range(row_taps):
        weight_y = tl.load(row_weights + y * row_taps + i, mask=in_y, other=0.0)
        line = (row + i).to(tl.int64) * luma_stride
        across = tl.zeros((block_height, block_width), tl.float32)
        for j in range(column_taps):
            weight_x = tl.load(column_weights + x * column_taps + j, mask=in_x, other=0.0)
            values = tl.load(luma_plane + line[:, None] + (column + j)[None, :])
            across += weight_x[None, :] * values.to(tl.float32)
        luma += weight_y[:, None] * across

    half = x // 2 if halves_chroma else x
    row = tl.load(chroma_rows + y, mask=in_y, other=0)
    column = tl.load(chroma_columns + half, mask=in_x, other=0)
    blue = tl.zeros((block_height, block_width), tl.float32)
    red = tl.zeros((block_height, block_width), tl.float32)
    for i in range(chroma_row_taps):
        weight_y = tl.load(chroma_row_weights + y * chroma_row_taps + i, mask=in_y, other=0.0)
        line = (row + i).to(tl.int64) * chroma_stride
        blue_across = tl.zeros((block_height, block_width), tl.float32)
        red_across = tl.zeros((block_height, block_width), tl.float32)
        for j in range(chroma_column_taps):
            weight_x = tl.load(
                chroma_column_weights + half * chroma_column_taps + j, mask=in_x, other=0.0
            )
            at = line[:, None] + 2 * (column + j)[None, :]
            blue_across += weight_x[None, :] * tl.load(chroma_plane + at).to(tl.float32)
            red_across += weight_x[None, :] * tl.load(chroma_plane + at + 1).to(tl.float32)
        blue += weight_y[:, None] * blue_across
        red += weight_y[:, None] * red_across

    if is_deep:  # samples are in the upper bits of 16
        luma, blue, red = luma / 256, blue / 256, red / 256
    at = out + ((frame.to(tl.int64) * height + y[:, None]) * width + x[None, :]) * 3
    mask = in_y[:, None] & in_x[None, :]
    if halves_chroma:  # whole steps of luma, see `Colours`
        step = tl.floor(luma + 0.5).to(tl.int32)
        u, v = tl.floor(blue + 0.5).to(tl.int32), tl.floor(red + 0.5).to(tl.int32)
        r = step + ((v * red_v) >> 16) - (red_v >> 9)
        g = step + ((u * green_u) >> 16) - (green_u >> 9) + ((v * green_v) >> 16) - (green_v >> 9)
        b = step + ((u * blue_u) >> 16) - (blue_u >> 9)
        r, g, b = r.to(tl.float32), g.to(tl.float32), b.to(tl.float32)
    else:
        u, v = (blue - 128) / 65536, (red - 128) / 65536
        r = luma + v * red_v
        g = luma + u * green_u + v * green_v
        b = luma + u * blue_u
    r = tl.clamp(r * luma_scale + luma_offset, 0.0, 255.0)
    g = tl.clamp(g * luma_scale + luma_offset, 0.0, 255.0)
    b = tl.clamp(b * luma_scale + luma_offset, 0.0, 255.0)
    tl.store(at, tl.floor(r + 0.5).to(tl.uint8), mask=mask)
    tl.store(at + 1, tl.floor(g + 0.5).to(tl.uint8), mask=mask)
    tl.store(at + 2, tl.floor(b + 0.5).to(tl.uint8), mask=mask)
