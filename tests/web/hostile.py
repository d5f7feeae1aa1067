"""Texts that an attacker would have people read: markup, script, addresses, and characters that hide or turn text."""

from __future__ import annotations

MARKUP = (
    "<script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    "</code></div><svg onload='window.owned = 1'>",
    "<iframe srcdoc='<script>parent.owned = 1</script>'></iframe>",
    "\"><a href='javascript:window.owned=1' autofocus onfocus='window.owned=1'>x</a>",
    "<style>*{display:none}</style><base href='//evil.example/'><meta http-equiv=refresh content='0;//evil.example'>",
    "{{constructor.constructor('window.owned=1')()}} ${window.owned=1}",
)
ADDRESSES = (
    "javascript:window.owned=1",
    "JaVaScRiPt:window.owned=1//https://",
    "data:text/html,<script>window.owned=1</script>",
    "http://plain.example/run/1",
    "//evil.example/run/1",
    "https://user:secret@evil.example/",
    "\tjavascript:window.owned=1",
)
TURNED = "SELECT 1 /*\u202e \u2066 stnemmoc ylno */; DELETE FROM orders -- \u2066safe\u2069\u200b"
"""Read from right to left in part: an editor that obeys it shows the DELETE as a comment."""

ALL = " ".join(MARKUP) + TURNED
