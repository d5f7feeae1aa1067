"""The web page: static files alone, without a build step, in `static/`; `api.page` serves them.

They hold no secret and need no login: what they show comes from the API, under the reader's own roles.
"""
