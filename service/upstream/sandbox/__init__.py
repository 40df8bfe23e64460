"""The sandbox: an OpenAI-compatible upstream that costs nothing, answers the same each time and bills truly.

It speaks the endpoints in `app.ROUTES`, plain and streamed as OpenAI has them, takes any key or none, and
keeps a bill of its own, apart from the service's arithmetic: `GET /sandbox/bill`, cleared by DELETE.

It misbehaves on request. The knobs travel in the body's `metadata` (a map of strings), because a gateway
in front passes that on untouched. `PUT /sandbox/defaults` takes the same map and lays it under each
request's own; DELETE removes it. An unknown knob or value is answered 400.

    knob                       effect
    sandbox_delay_ms           waits before it answers
    sandbox_status             answers this status (400-599) in OpenAI's error shape, unbilled
    sandbox_body               "html": a proxy's HTML page instead of JSON, with sandbox_status (or 200)
    sandbox_reset              "1": reads the request, then resets the connection, unbilled
    sandbox_hang               "1": says nothing until the client goes, unbilled
    sandbox_tokens             length of the reply wanted, before caps (else 30-60, from the prompt)
    sandbox_token_delay_ms     waits before each content chunk of a stream
    sandbox_cut_after          stream: closes the connection after N content chunks, billed so far;
                               plain: after half of the body, billed in full
    sandbox_no_usage           "1": leaves usage out of the answer; the bill has it
    sandbox_bad_usage          "1": shows a negative completion_tokens; the bill has the true number
    sandbox_cached_tokens      so many of the prompt's tokens were read from the cache
    sandbox_cache_write_tokens so many of them were written to it
    sandbox_reasoning_tokens   tokens of thought before each choice, part of completion_tokens and the cap
    sandbox_service_tier       the tier it says it served at, and bills
    sandbox_model              the model it says it served, and bills if that has a price
    sandbox_ignore_cap         "1": does not honour max_completion_tokens and max_tokens
    sandbox_finish_reason      the finish_reason it gives; of a response: "content_filter" leaves it
                               incomplete, "failed" failed

Tokens are counted as OpenAI's cookbook counts them; what is no text counts a fixed number (`tokens.py`).
Recordings are decoded and billed at their true length; speech is silence, images are one pixel.
A stream whose client hangs up is billed for the prompt, the reasoning and the tokens written by then.
"""

from service.upstream.sandbox.app import create_sandbox
from service.upstream.sandbox.server import serve_sandbox

__all__ = ["create_sandbox", "serve_sandbox"]
