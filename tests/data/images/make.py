#!/usr/bin/python3
"""Draws the sample pictures of this folder again: make.py [FOLDER]. Standard library only, always the same pixels.

Digits are written by hand-placed Bezier strokes with a round pen whose pressure changes along the stroke."""
import math
import os
import random
import struct
import sys
import zlib

# Strokes of cubic Beziers, in a box of about 1 x 1: the first point, then three points for each further curve.
DIGITS = {
    2: [[(.20, .27), (.22, .02), (.74, -.06), (.73, .27), (.72, .52), (.38, .72), (.17, .95),
         (.14, 1.0), (.30, .88), (.46, .91), (.62, .94), (.74, .97), (.86, .88)]],
    3: [[(.22, .15), (.34, -.03), (.74, -.02), (.71, .22), (.69, .40), (.50, .45), (.37, .47),
         (.62, .45), (.82, .56), (.78, .75), (.73, 1.00), (.32, 1.04), (.17, .86)]],
    5: [[(.31, .06), (.30, .18), (.28, .30), (.25, .44), (.44, .33), (.80, .42), (.77, .69),
         (.74, .98), (.36, 1.06), (.16, .88)],
        [(.30, .07), (.45, .09), (.62, .07), (.80, .03)]],
    7: [[(.18, .12), (.36, .07), (.60, .08), (.80, .06), (.84, .12), (.60, .48), (.44, .98)]],
    8: [[(.70, .16), (.58, -.06), (.20, .02), (.27, .25), (.34, .46), (.80, .56), (.74, .82),
         (.67, 1.06), (.20, 1.02), (.25, .77), (.30, .54), (.74, .38), (.70, .15)]],
}


def points_of(digit, slant):
    """(x, y, pressure) along every stroke."""
    strokes = []
    for curve in DIGITS[digit]:
        points, parts = [], (len(curve) - 1) // 3
        for part in range(parts):
            a, b, c, d = curve[3 * part:3 * part + 4]
            for step in range(33):
                t = step / 32
                x, y = ((1 - t) ** 3 * a[i] + 3 * (1 - t) ** 2 * t * b[i] + 3 * (1 - t) * t * t * c[i] + t ** 3 * d[i]
                        for i in (0, 1))
                along = (part + t) / parts
                points.append((x + slant * (.5 - y), y, 1 + .18 * math.sin(7 * along + digit) - .25 * along ** 4))
        strokes.append(points)
    return strokes


def ink_of(digit, width, height, box, pen, slant=.1):
    """Ink 0..1 of every pixel; `box` is (left, top, width, height) of the digit, `pen` the usual radius, in pixels."""
    ink = [0.0] * (width * height)
    left, top, box_width, box_height = box
    for stroke in points_of(digit, slant):
        placed = [(left + x * box_width, top + y * box_height, pen * p) for x, y, p in stroke]
        for (x0, y0, r0), (x1, y1, r1) in zip(placed, placed[1:]):
            reach, dx, dy = max(r0, r1) + 1, x1 - x0, y1 - y0
            length = dx * dx + dy * dy or 1
            for y in range(max(0, int(min(y0, y1) - reach)), min(height, int(max(y0, y1) + reach) + 1)):
                for x in range(max(0, int(min(x0, x1) - reach)), min(width, int(max(x0, x1) + reach) + 1)):
                    u, v = x + .5 - x0, y + .5 - y0
                    t = min(1, max(0, (u * dx + v * dy) / length))
                    covered = r0 + t * (r1 - r0) + .5 - math.hypot(u - t * dx, v - t * dy)
                    ink[y * width + x] = max(ink[y * width + x], min(1, covered))
    return ink


def paper(width, height, noise):
    """Light 0..255 of a sheet under a lamp at the upper left, with grain."""
    return [205 - 60 * math.hypot(x / width - .2, y / height - .1) + 3 * sum(noise.random() - .5 for _ in range(6))
            for y in range(height) for x in range(width)]


def levels(values):
    return bytes(min(255, max(0, round(v))) for v in values)


def write_png(path, width, height, pixels, colour_type):
    """colour_type 0: grey, 6: RGBA; 8 bits a sample."""
    row = width * {0: 1, 6: 4}[colour_type]
    lines = b"".join(b"\0" + pixels[y * row:(y + 1) * row] for y in range(height))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)),
                           (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def write_bmp(path, width, height, bgr):
    """24 bits a pixel, the lowest line first."""
    row = bytes(-3 * width % 4)
    lines = b"".join(bgr[3 * y * width:3 * (y + 1) * width] + row for y in reversed(range(height)))
    with open(path, "wb") as file:
        file.write(b"BM" + struct.pack("<IHHI", 54 + len(lines), 0, 0, 54))
        file.write(struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(lines), 2835, 2835, 0, 0) + lines)


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    noise = random.Random(28)

    def at(name):
        return os.path.join(folder, name)

    ink = ink_of(7, 28, 28, (4, 4, 20, 20), 1.15)
    write_png(at("seven.png"), 28, 28, levels(255 * i for i in ink), 0)

    ink = ink_of(5, 28, 28, (4, 4, 20, 20), 1.1, .25)
    write_png(at("five-inverted.png"), 28, 28, levels(255 - 255 * i for i in ink), 0)

    ink = ink_of(3, 300, 300, (70, 55, 150, 180), 7)
    sheet = paper(300, 300, noise)
    write_png(at("three-on-paper.png"), 300, 300, levels(p * (1 - .72 * i) for p, i in zip(sheet, ink)), 0)

    ink = ink_of(2, 200, 200, (35, 30, 120, 130), 7.5, 0)
    write_png(at("two-canvas.png"), 200, 200, b"".join(b"\0\0\0" + levels([255 * i]) for i in ink), 6)

    ink = ink_of(8, 160, 160, (20, 45, 75, 90), 3.5, .2)
    blue_on_cream = ((p - (p - pen) * i) for i in ink for p, pen in ((228, 150), (246, 60), (250, 40)))
    write_bmp(at("eight.bmp"), 160, 160, levels(blue_on_cream))

    write_png(at("blank.png"), 200, 200, levels(paper(200, 200, noise)), 0)


if __name__ == "__main__":
    main()
