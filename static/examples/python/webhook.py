"""Receives webhooks and verifies their signatures, with Python's standard library only:

    WEBHOOK_SECRET=whsec_… python3 webhook.py 8000

An admin adds the address of this program under Admin, Webhooks, and gets the secret there. The requests follow
https://www.standardwebhooks.com: whatever is not answered with 2xx within 10 seconds is sent again.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))


def verified(headers, body):
    """Whether the body was signed in the last five minutes. While a secret is rotated, there are two signatures."""
    sent = headers.get("webhook-timestamp", "")
    if not sent.isdecimal() or abs(time.time() - int(sent)) > 300:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent}.".encode() + body
    want = b"v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256))
    return any(hmac.compare_digest(want, one.encode()) for one in headers.get("webhook-signature", "").split())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(max(0, min(length, 65536)))
        if verified(self.headers, body):
            event = json.loads(body)
            # Store webhook-id with what you do, and ignore an id that you have stored: an event may arrive twice.
            print(self.headers["webhook-id"], event["type"], json.dumps(event["data"]), flush=True)
            self.send_response(204)
        else:
            self.send_response(401)
        self.end_headers()


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
