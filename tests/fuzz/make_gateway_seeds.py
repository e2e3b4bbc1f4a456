#!/usr/bin/python3
"""Writes the seeds of the gateway's fuzzers, corpus/{http_request,multipart,picture_body}, again."""
import base64
import os

HERE = os.path.dirname(os.path.abspath(__file__))
with open(f"{HERE}/../data/images/seven.png", "rb") as file:
    SEVEN = file.read()
TEXT = base64.b64encode(SEVEN)


def form(*parts, boundary=b"xYz", end=b"--\r\n"):
    return b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary, head, content) for head,
                    content in parts) + b"--" + boundary + end


DISPOSITION = b'Content-Disposition: form-data; name="image"'
FILE = DISPOSITION + b'; filename="a\\"b;.png"\r\nContent-Type: image/png'
HEAD = b"POST /v1/models/mnist:recognize?include=pixels HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
SEEDS = {
    "http_request": {
        "get": b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "http_1_0": b"\7GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "post": b"\1" + HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
        "chunked": b"\2" + CHUNKED + b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: evil\r\n\r\n",
        "pipelined": b"\5" + HEAD + b"Content-Length: 2\r\n\r\nab" + CHUNKED +
                     b"1\r\na\r\n0\r\n\r\nHEAD /x HTTP/1.1\r\nHost:b\r\n\r\n",
        "both": b"\0" + HEAD +
                b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        "twice": b"\0" + HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "folded": b"\0" + HEAD + b"X: a\r\n b\r\n\r\n", "bare": b"\x3fGET / HTTP/1.1\nHost: a\n\n",
        "coding": b"\0" + HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        "large": b"\0" + HEAD + b"Content-Length: 1001\r\n\r\n"},
    "multipart": {
        "one": b"multipart/form-data; boundary=xYz\n" + form((FILE, SEVEN)),
        "two": b'multipart/form-data; charset=utf-8; boundary="xYz"\n' + form((DISPOSITION, b"1"), (FILE, b"--xYz\n"),
                                                                              end=b"--"),
        "bare_head": b"multipart/form-data;boundary=b\n--b\r\n\r\n\r\n--b--",
        "nothing": b"multipart/form-data; boundary=b\n--b--",
        "cut": b"multipart/form-data; boundary=xYz\n" + form((FILE, SEVEN))[:-9]},
    "picture_body": {
        "png": b"image/png\n/v1/models/mnist:recognize?version=stable&include=pixels,timing\n" + SEVEN,
        "base64": b"application/json\n/x\n" + b'{"image": "%s", "version": "2", "include": ["pixels"]}' % TEXT,
        "data_urls": b"application/json; charset=utf-8\n/a%2Fb/?v%65rsion=%E6%95%B0\n" +
                     b'{"images": ["data:image/png;base64,%s", "DATA:;BASE64,AAAA", "", "AA-_"]}' % TEXT,
        "twice": b'application/json\n/\n{"image": "", "im\\u0061ge": ""}', "deep": b"application/json\n/\n" + b"[" * 40,
        "form": b"multipart/form-data; boundary=xYz\n/?include=timing\n" + form((FILE, SEVEN), (DISPOSITION, b"x")),
        "curl": b"application/x-www-form-urlencoded\n/api/recognize\n" + SEVEN[:40],
        "other": b"text/plain\n/?a=%ff\nx"},
}

for fuzzer, seeds in SEEDS.items():
    os.makedirs(f"{HERE}/corpus/{fuzzer}", exist_ok=True)
    for name, content in seeds.items():
        with open(f"{HERE}/corpus/{fuzzer}/{name}", "wb") as file:
            file.write(content)
