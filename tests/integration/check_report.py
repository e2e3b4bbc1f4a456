"""Reads a training report as a browser would, for digit_train_test.cc.

    check_report.py REPORT.html

Exit 1 and a line when a tag is closed that is not open or left open; else prints what the report shows as NAME=NUMBER
lines: charts, the points of each line and the dots, images and right answers of the confusion matrix, mistakes.
"""
import base64
import html.parser
import sys

VOID = {"meta", "br", "img", "line", "polyline", "circle"}  # have no end tag (the last three are closed in place)
OPTIONAL = {"html", "th", "td", "tr", "p"}  # HTML lets their end tag out


class Report(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.rows, self.cell = [], [], None
        self.charts, self.points, self.dots, self.mistakes, self.bitmaps = 0, [], 0, 0, 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in OPTIONAL:
            self.open = [t for t in self.open if t not in OPTIONAL or t == "html"]
        if tag not in VOID:
            self.open.append(tag)
        self.charts += tag == "svg"
        self.dots += tag == "circle"
        if tag == "polyline":
            self.points.append(len(attributes["points"].split()))
        if tag == "tr":
            self.rows.append([])
        self.cell = tag if tag in ("th", "td") else None
        if self.cell:
            self.rows[-1].append("")
        if tag == "img":
            self.mistakes += 1
            kind, data = attributes["src"].split(",")
            self.bitmaps += kind == "data:image/bmp;base64" and base64.b64decode(data)[:2] == b"BM"

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in OPTIONAL:
            self.open.pop()
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            sys.exit(f"line {self.getpos()[0]}: </{tag}> closes nothing")
        self.cell = None

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data.strip()


def main():
    report = Report()
    with open(sys.argv[1], encoding="utf-8") as file:
        report.feed(file.read())
    report.close()
    left_open = [tag for tag in report.open if tag not in OPTIONAL]
    if left_open:
        sys.exit(f"left open: {left_open}")
    matrix = [[int(cell or 0) for cell in row[1:-1]] for row in report.rows[1:]]
    print(f"charts={report.charts}")
    print("points=" + ",".join(map(str, report.points)))
    print(f"dots={report.dots}")
    print(f"images={sum(map(sum, matrix))}")
    print(f"right={sum(row[i] for i, row in enumerate(matrix))}")
    print(f"mistakes={report.mistakes}")
    print(f"bitmaps={report.bitmaps}")


main()
