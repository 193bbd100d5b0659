"""``python -I -S warm_client.py SOCKET WORDS``: has warm_img.py run img with WORDS."""

import json
import os
import socket
import sys

with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    order = {"words": sys.argv[2:], "cwd": os.getcwd(), "environment": dict(os.environ)}
    text = json.dumps(order).encode()
    socket.send_fds(server, [len(text).to_bytes(4, "big")], [0, 1, 2])
    server.sendall(text)
    code = server.recv(1)
sys.exit(code[0] if code else 70)
