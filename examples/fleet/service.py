"""A stand-in for envoyproxy/ratelimit, to try and to test with: it counts in memory, and forgets nothing.

    python service.py PORT tokens_of=100000 micro_usd_of=5000000

Every call is a line of JSON on standard output. It needs grpcio and nothing else: the few fields of the two messages
(https://github.com/envoyproxy/envoy/blob/main/api/envoy/service/ratelimit/v3/rls.proto) are read by hand.
"""

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import grpc

OK, OVER_LIMIT = b"\x08\x01", b"\x08\x02"


def fields(message: bytes):
    """The number and the value of each field of a message."""
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = message[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(message):
        tag = varint()
        if tag & 7 == 0:
            yield tag >> 3, varint()
        else:
            size = varint()
            at += size
            yield tag >> 3, message[at - size : at]


def first(message: bytes, number: int, default=b""):
    return next((value for known, value in fields(message) if known == number), default)


class Limits:
    def __init__(self, limits: dict):
        self.limits, self.used = limits, Counter()

    def should_rate_limit(self, request: bytes, _context) -> bytes:
        of_request = first(request, 3, 0) or 1
        over = False
        for descriptor in (value for number, value in fields(request) if number == 2):
            entry = first(descriptor, 1)
            key, name = first(entry, 1).decode(), first(entry, 2).decode()
            # A descriptor's own number counts, be it 0; without one the request's does, of which 0 means 1.
            own = [value for number, value in fields(descriptor) if number == 3]
            hits = first(own[0], 1, 0) if own else of_request
            self.used[key, name] += hits
            over |= key in self.limits and self.used[key, name] + (hits == 0) > self.limits[key]
            print(json.dumps({"key": key, "name": name, "hits": hits, "used": self.used[key, name]}), flush=True)
        return OVER_LIMIT if over else OK


def main():
    port, *limits = sys.argv[1:]
    service = Limits({name: int(number) for name, _, number in (text.partition("=") for text in limits)})
    handler = grpc.unary_unary_rpc_method_handler(service.should_rate_limit)
    server = grpc.server(ThreadPoolExecutor(1))
    name = "envoy.service.ratelimit.v3.RateLimitService"
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(name, {"ShouldRateLimit": handler})])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    print(json.dumps({"ready": port}), flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
