"""`python openai_server.py MODEL_FOLDER`: a chat-completions server of one tiny model; prints its port.

The name of the model asked for says how it behaves: "plain", "busy" (429, then 503, then an answer), "strict" (refuses
seed and logprobs), "locked" (wants the key "open-sesame"), "slow", "broken" (not JSON), "away" (always 503).
"""

import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from contracts.records import Message
from rewardmodel import chat
from training.algorithms import policy, sampling

MODEL, TOKENIZER = policy.load_policy(sys.argv[1])
ONE_AT_A_TIME = threading.Lock()
asked: Counter = Counter()
under_way, most_under_way = 0, 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        global under_way, most_under_way
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        under_way += 1
        most_under_way = max(most_under_way, under_way)
        try:
            self.respond(body)
        finally:
            under_way -= 1

    def do_GET(self):
        self.send(200, {"most_under_way": most_under_way, "asked": asked.total()})

    def respond(self, body):
        kind = body["model"]
        key = (kind, body.get("seed"), body["messages"][-1]["content"])
        asked[key] += 1
        if self.path != "/v1/chat/completions":
            self.send(404, {"error": {"message": "no such route"}})
        elif kind == "away" or (kind == "busy" and asked[key] == 2):
            self.send(503, {"error": "overloaded"})
        elif kind == "busy" and asked[key] == 1:
            self.send(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0"})
        elif kind == "strict" and {"seed", "logprobs"} & set(body):
            self.send(400, {"error": {"message": "unknown field"}})
        elif kind == "locked" and self.headers["Authorization"] != "Bearer open-sesame":
            self.send(401, {"error": {"message": "no key"}})
        elif kind == "broken":
            self.send(200, "<html>")
        elif kind == "unknown":
            self.send(404, {"error": {"message": "no such model"}})
        else:
            time.sleep(0.5 if kind == "slow" else 0)
            self.send(200, complete(body))

    def send(self, status, body, **headers):
        block = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(block))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(block)


def complete(body):
    prompt = chat.encode_prompt(TOKENIZER, [Message(**message) for message in body["messages"]])
    stop = chat.stop_token_id(TOKENIZER)
    with ONE_AT_A_TIME:
        ((drawn,),) = sampling.sample(
            MODEL, [prompt], k=1, max_new_tokens=body["max_tokens"], stop_id=stop, pad_id=TOKENIZER.pad_token_id,
            seed=body.get("seed", 0), temperature=body["temperature"],
        )  # fmt: skip
    choice = {
        "message": {"role": "assistant", "content": chat.decode_reply(TOKENIZER, drawn.ids)},
        "finish_reason": drawn.finish_reason,
    }
    if body.get("logprobs"):
        choice["logprobs"] = {
            "content": [{"token": str(i), "logprob": p} for i, p in zip(drawn.ids, drawn.logprobs, strict=True)]
        }
    return {"choices": [choice]}


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
sys.stdout.write(f"{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
