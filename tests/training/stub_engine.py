"""Stands in for `python -m training.algorithms.playground`: it says the words of the last message, one by one.

The word "crash" ends it, "refuse" is an error, and "slowly" takes long before each word.
"""

import json
import os
import sys
import threading
import time

cancelled = threading.Event()


def say(word):
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


def answer(request, warm):
    if request["model"] not in warm:
        say({"stage": "loading"})
        warm.add(request["model"])
    text = request["messages"][-1]["content"]
    if request["kind"] == "inspect":
        say({"done": {"tokens": [], "position": 0, "next": [{"id": 1, "text": text, "probability": 1.0}]}})
        return
    say({"stage": "replying"})
    reason = "stop"
    for number, word in enumerate(text.split()):
        if word == "crash":
            os._exit(1)
        if word == "refuse":
            say({"error": {"code": "bad_input", "sentence": "Refused."}})
            return
        if text.startswith("slowly"):
            time.sleep(0.3)
        if cancelled.is_set():
            reason = "cancelled"
            break
        say({"token": {"id": number, "text": word, "logprob": -0.5, "top": []}})
    say({"done": {"finish_reason": reason, "prompt_tokens": os.getpid()}})


def main():
    import queue

    requests = queue.Queue()

    def hear():
        for line in sys.stdin:
            request = json.loads(line)
            cancelled.set() if request["kind"] == "cancel" else requests.put(request)
        os._exit(0)

    threading.Thread(target=hear, daemon=True).start()
    warm = set()
    while True:
        request = requests.get()
        cancelled.clear()
        answer(request, warm)


main()
