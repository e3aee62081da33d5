"""Cells, parted by lines of dashes, that look at a session from all sides, and have calls fail. URL is the API's."""

from __future__ import annotations

LOOK = """signin
---
api
---
api.token
---
signin.verification
---
print(repr(signin), vars(signin), signin.client, api.user, api.headers_for(URL), api.auth, vars(api))
---
%whos
---
print(Out, In)
---
Out"""
VERBOSE = """%xmode Verbose
---
try:
    api.get("http://127.0.0.1:9/")
except Exception:
    get_ipython().showtraceback()
---
try:
    api.get("http://example.org/")
except Exception:
    get_ipython().showtraceback()
---
try:
    api.refresh_token("http://127.0.0.1:9/")
except Exception:
    get_ipython().showtraceback()
---
%tb
---
%xmode Context
"""

# What hands the token to other libraries and programs; CAPABILITY is a file that is not looked at
FOR_OTHERS = """import asyncio, pathlib, subprocess, sys, urllib.request
import aiohttp, httpx
token = api.access_token(URL)
token
---
print(token, [token], vars(api.credentials), api.credentials, dir(api.credentials))
---
archive = api.for_audience(ARCHIVE)
archive.get("days").json()["days"][0], archive, archive.token, vars(archive), archive.access_token()
---
made = [api.credentials.httpx, api.credentials.aiohttp, api.httpx_auth, api.requests_auth, archive.httpx_auth]
print(made, [vars(each) for each in made])
---
made
---
httpx.get(URL, auth=api.httpx_auth).raise_for_status()
async def read(url):
    async with aiohttp.ClientSession(middlewares=[api.credentials.aiohttp]) as client:
        async with client.get(url) as response:
            return response, response.request_info.url
async with httpx.AsyncClient(auth=api.httpx_auth) as client:
    print((await client.get(URL)).status_code, await read(URL))
---
READS = "import os, pathlib; print(pathlib.Path(os.environ['BEARER_TOKEN_FILE']).stat().st_size)"
with api.token_file(variables="BEARER_TOKEN_FILE") as path:
    print(path, subprocess.run([sys.executable, "-c", READS], capture_output=True))
---
with api.serve() as proxy:
    pathlib.Path(CAPABILITY).write_text(proxy.base_url)
    print(proxy, [proxy], urllib.request.urlopen(proxy.url("/stations")).status)
---
import multiprocessing, pickle
CALLS = "import pickle, sys; api = pickle.load(sys.stdin.buffer); print(api.get('/stations'), api, vars(api))"
with api.share_with(multiprocessing) as share:
    print(subprocess.run([sys.executable, "-c", CALLS], input=pickle.dumps(api), capture_output=True, check=True))
    print(share, [share], share.holders, vars(share), share.reference)
---
share
---
%xmode Verbose
---
try:
    api.access_token("http://example.org/")
except Exception:
    get_ipython().showtraceback()
---
for get in (httpx.get, httpx.Client(auth=api.httpx_auth).get):
    for url in ("http://127.0.0.1:9/", "http://example.org/"):
        try:
            get(url, auth=api.httpx_auth)
        except Exception:
            get_ipython().showtraceback()
---
for url in ("http://127.0.0.1:9/", "http://example.org/"):
    try:
        await read(url)
    except Exception:
        get_ipython().showtraceback()
---
try:
    api.for_audience("https://nobody.example")
except Exception:
    get_ipython().showtraceback()
---
try:
    with api.token_file() as path:
        1 / 0
except ZeroDivisionError:
    get_ipython().showtraceback()
---
try:
    with api.serve() as proxy:
        1 / 0
except ZeroDivisionError:
    get_ipython().showtraceback()
---
try:
    with api.share_with(multiprocessing) as share:
        1 / 0
except ZeroDivisionError:
    get_ipython().showtraceback()
---
api.logout()
---
for ask in (api.access_token, api.token_file, api.serve, archive.access_token, lambda: api.share_with(subprocess)):
    try:
        ask()
    except Exception:
        get_ipython().showtraceback()
---
%xmode Context
---
%whos
---
print(Out, In)"""
