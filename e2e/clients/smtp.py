"""A mail server on 127.0.0.1 and 127.0.0.2, by aiosmtpd: prints its port, then each letter as a line of JSON, and ends with its standard input.

Arguments: how it speaks (`tls`, `starttls` or `clear`), its certificate and key, and the password of `gateway` where it wants one.
"""

import asyncio
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult

how, chain, key, *password = sys.argv[1:]


class Handler:
    async def handle_DATA(self, server, session, envelope):
        letter = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "by": session.authenticated and session.auth_data.login.decode(),
            "tls": how == "tls" or session.ssl is not None,
            "text": envelope.content.decode(),
        }
        print(json.dumps(letter), flush=True)
        return "250 OK"


def knows(server, session, envelope, mechanism, given):
    right = given.login == b"gateway" and given.password.decode() in password
    return AuthResult(success=right, handled=False, auth_data=given)


def speaks():
    options = {"hostname": "localhost"}
    if how == "starttls":
        options |= {"tls_context": context, "require_starttls": True}
    if password:
        # Whether it is asked for over TLS alone is not known to it where TLS is around everything.
        options |= {"authenticator": knows, "auth_required": True, "auth_require_tls": how == "starttls"}
    return SMTP(Handler(), **options)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


async def main():
    loop = asyncio.get_running_loop()
    around = context if how == "tls" else None
    server = await loop.create_server(speaks, "127.0.0.1", 0, ssl=around)
    port = server.sockets[0].getsockname()[1]
    # Under an address that its certificate does not have.
    another = await loop.create_server(speaks, "127.0.0.2", port, ssl=around)
    print(port, flush=True)
    await asyncio.gather(server.serve_forever(), another.serve_forever())


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
threading.Thread(target=end_with_parent).start()
asyncio.run(main())
