"""What a worker and its playground process say to each other: one JSON object a line, over its stdin and stdout.

    worker    {"kind": "reply", "model": FOLDER, "messages": [Message…], "max_new_tokens", "temperature", "seed", "top"}
    process   {"stage": "loading"}                                        only where the model is not warm
              {"stage": "replying"}
              {"token": {"id", "text", "logprob", "top": [Alternative…]}} as each is drawn
              {"done": {"finish_reason": "stop" | "length" | "cancelled", "prompt_tokens": n}}
    worker    {"kind": "inspect", "model", "messages", "position", "top"}
    process   {"done": {"tokens": [Piece…], "position": n, "next": [Alternative…]}}
    worker    {"kind": "cancel"}                                          ends the reply under way, else nothing
    process   {"error": {"code", "sentence"}}                             in place of "done"

An Alternative is {"id", "text", "probability"}. A Piece is one token as the model sees it: {"id", "text", "role",
"part", "logprob", "rank"}, where part is "content", or "template" for what the chat template put around it, with the
role of the message it belongs to; logprob and rank (1 is the likeliest) say how the model expected it, null for the
first. One request at a time; the process ends when its stdin does.
"""

from __future__ import annotations

KINDS = ("reply", "inspect")
MOST_ALTERNATIVES = 20
MOST_NEW_TOKENS = 4_096
