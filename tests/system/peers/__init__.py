# SPDX-License-Identifier: MIT
"""The other programs of a system test: real clients and servers, each in a directory of its own.

Each module wraps one program. All take the test's Stage first (peers.stage): it owns the directory,
hands out ports, and ends whatever was started, in reverse order, when the test is over.
"""
