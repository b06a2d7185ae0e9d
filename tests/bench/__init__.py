"""Throughput, latency and memory beside other servers, in one run: `make bench`, or `python -m tests.bench --help`."""
