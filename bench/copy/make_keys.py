"""Fills a bucket's folder with objects, as the server would have left them: python3 make_keys.py FOLDER COUNT

A thousand names for each file, so that ten million objects need no disk; the checksum is where the server keeps it.
"""

import hashlib
import os
import sys

folder, count = sys.argv[1], int(sys.argv[2])
for album in range((count + 999) // 1000):
    path = os.path.join(folder, f"album-{album:05d}")
    os.makedirs(path)
    content = f"album {album}\n".encode()
    first = os.path.join(path, f"image-{album * 1000:08d}.jpg")
    with open(first, "wb") as file:
        file.write(content)
    os.setxattr(first, "user.etag", f'"{hashlib.md5(content).hexdigest()}"'.encode())
    for n in range(album * 1000 + 1, min(count, album * 1000 + 1000)):
        os.link(first, os.path.join(path, f"image-{n:08d}.jpg"))
