"""Frozen configs, one per kind of run. The web refuses a bad one with the class the algorithm takes.

`parse(kind, plain)` is the only way in: it refuses unknown keys, wrong types and values out of range
with a `ConfigError` that names each field. `schema(kind)` describes the same options for a form.
A config holds choices; what a run works on (checkpoints, snapshots) are its inputs, `INPUTS`.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, fields
from typing import Any

from contracts.options import Config as Config
from contracts.options import ConfigError as ConfigError
from contracts.options import option, widened

# Rewards that a program can check, by name; what each needs in a prompt's meta: `training/algorithms/verifiers.py`.
VERIFIERS = ("exact", "numeric", "regex", "python")
# What a reward model's ensemble says: combined as when it was fitted, or over its members as PPO's config says.
MODEL_REWARDS = ("reward_model", "reward_model.mean", "reward_model.min", "reward_model.variance")


_TERM = re.compile(r"\s*(?P<sign>[+-]?)\s*(?:(?P<weight>\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?(?P<name>[a-z][a-z_.]*)\s*")


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(Config):
    """A BPE tokenizer and a small Llama-architecture base model, from a text corpus."""

    vocab_size: int = option(512, "tokenizer vocabulary, tokens, special ones included", least=300, most=262_144)
    hidden_size: int = option(128, "width of the residual stream", least=16, most=16_384)
    layers: int = option(4, "transformer blocks", least=1, most=128)
    heads: int = option(4, "attention heads; divides hidden_size", least=1, most=128)
    intermediate_size: int = option(0, "width of the gated MLP; 0 means 8/3 of hidden_size", least=0, most=65_536)
    context: int = option(256, "longest sequence, tokens", least=16, most=131_072)
    sequence_length: int = option(128, "tokens a training row", least=8, most=131_072)
    batch_size: int = option(32, "rows a step", least=1, most=65_536)
    steps: int = option(600, "optimizer steps", least=1, most=10_000_000)
    learning_rate: float = option(3e-3, "AdamW peak, after warm-up, before cosine decay", above=0, most=1)
    warmup_steps: int = option(40, "linear warm-up, steps", least=0)
    weight_decay: float = option(0.1, "AdamW, on matrices only", least=0, most=1)
    gradient_clip: float = option(1.0, "largest gradient norm", above=0)
    save_every: int = option(100, "steps between resumable states", least=1)

    def conflicts(self) -> dict[str, str]:
        problems = {}
        if self.hidden_size % self.heads or (self.hidden_size // self.heads) % 2:
            problems["heads"] = f"must divide hidden_size {self.hidden_size} into heads of even width"
        if self.sequence_length > self.context:
            problems["sequence_length"] = f"cannot be longer than context {self.context}"
        return problems


@dataclass(frozen=True, kw_only=True)
class SftConfig(Config):
    """Supervised fine-tuning on demonstrations; the loss falls on assistant tokens only."""

    epochs: float = option(3.0, "passes over the demonstrations", above=0, most=1_000)
    batch_size: int = option(16, "conversations a step", least=1, most=65_536)
    learning_rate: float = option(5e-4, "AdamW peak; about 1e-5 for models of 1B and more", above=0, most=1)
    warmup_ratio: float = option(0.05, "share of steps in linear warm-up", least=0, most=1)
    weight_decay: float = option(0.0, "AdamW", least=0, most=1)
    gradient_clip: float = option(1.0, "largest gradient norm", above=0)
    max_length: int = option(256, "longest conversation, tokens; longer ones are refused and counted", least=8)
    gradient_accumulation: int = option(1, "micro-batches a step", least=1)
    gradient_checkpointing: bool = option(False, "recompute activations: less memory, more time")
    bf16: bool = option(False, "bfloat16 autocast; GPU only")
    lora_rank: int = option(0, "rank of LoRA adapters, merged at the end; 0 trains all weights", least=0, most=4_096)
    save_every: int = option(50, "steps between resumable states", least=1)


@dataclass(frozen=True, kw_only=True)
class SampleConfig(Config):
    """K rollouts per prompt, to be ranked."""

    rollouts_per_prompt: int = option(5, "K: responses shown together", least=2, most=9)
    max_prompts: int = option(0, "prompts to sample for, drawn with the run's seed; 0 means all", least=0)
    max_new_tokens: int = option(64, "longest response, tokens", least=1, most=131_072)
    temperature: float = option(1.0, "divides the logits; no top-k, no top-p", above=0, most=10)
    batch_size: int = option(64, "rollouts decoded side by side", least=1)
    publish: bool = option(True, "open a ranking task for each rollout set")
    server: str = option(
        "",
        "address of an OpenAI-compatible server that draws in place of a policy, such as http://host:8000/v1; "
        "its key, if it wants one, is in the worker's RANKLOOP_SERVER_KEYS",
    )
    server_model: str = option("", "the server's name of the model")
    concurrency: int = option(8, "requests to the server at a time", least=1, most=1_024)
    retries: int = option(5, "further attempts where the server is busy or away", least=0, most=100)
    request_seconds: float = option(120.0, "longest wait for one response of the server", above=0, most=86_400)

    def conflicts(self) -> dict[str, str]:
        if self.server and not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", self.server):
            return {"server": "must be an address such as http://host:8000/v1, without a key or a query in it"}
        if bool(self.server) != bool(self.server_model):
            return {"server_model" if self.server else "server": "server and server_model go together"}
        if len(self.server) + len(self.server_model) > 190:
            return {"server_model": "server and server_model have 190 characters at most together"}
        return {}

    def needs(self, name: str) -> bool:
        return name != "policy" or not self.server


@dataclass(frozen=True, kw_only=True)
class RewardModelConfig(Config):
    """A reward model on rankings: all decided pairs of a group at once, its prompt encoded once."""

    loss: str = option(
        "pairs",
        "pairs: Bradley-Terry over all decided pairs; plackett_luce: the whole order",
        choices=("pairs", "plackett_luce"),
    )
    margin: float = option(
        0.0, "score by which the better must win, for each unit of margin_by (arXiv 2307.09288)", least=0, most=100
    )
    margin_by: str = option(
        "likert",
        "unit of margin: likert, points between the two; confidence, the labeler's beyond 1; ranks, places between",
        choices=("likert", "confidence", "ranks"),
    )
    epochs: int = option(1, "passes over the groups; more than one overfits (arXiv 2203.02155)", least=1, most=100)
    batch_groups: int = option(
        8, "rankings a step; those of the same responses share it and a pass", least=1, most=65_536
    )
    micro_batch_tokens: int = option(8_192, "most padded tokens in one forward pass", least=64)
    learning_rate: float = option(1e-4, "AdamW peak; 3e-6 to 1e-5 for 1B to 7B (arXiv 2009.01325)", above=0, most=1)
    warmup_ratio: float = option(0.05, "share of steps in linear warm-up", least=0, most=1)
    weight_decay: float = option(0.0, "AdamW", least=0, most=1)
    gradient_clip: float = option(1.0, "largest gradient norm, after accumulation", above=0)
    centering: float = option(0.01, "weight of mean (r_i + r_j)^2 over decided pairs; 0 lets the offset drift", least=0)
    heldout_share: float = option(0.2, "share of prompts held out where the snapshot holds out none", above=0, most=0.9)
    evaluate_every: int = option(10, "steps between held-out losses, for early stopping", least=1)
    patience: int = option(3, "held-out losses without a new best before stopping; 0 never stops", least=0)
    max_length: int = option(1_024, "longest prompt and response, tokens; longer ones are cut and counted", least=8)
    members: int = option(1, "ensemble members, of different seed and data order", least=1, most=16)
    combine: str = option(
        "mean",
        "of members: mean; min, the worst; uncertainty, mean - penalty * variance (arXiv 2310.02743); "
        "weights, one model of their mean weights (arXiv 2401.12187)",
        choices=("mean", "min", "uncertainty", "weights"),
    )
    penalty: float = option(1.0, "lambda of combine=uncertainty, in scores per variance", least=0, most=1_000)
    curve_points: int = option(
        2,
        "points of the learning curve before the whole: fits on 1/2, 1/4, ... of the prompts; 0 draws none",
        least=0,
        most=8,
    )
    leave_out: str = option("", "labelers, comma-separated: fit again without each, and report the difference")
    gradient_checkpointing: bool = option(False, "recompute activations: less memory, more time")
    bf16: bool = option(False, "bfloat16 trunk; head and loss stay in fp32")
    lora_rank: int = option(0, "rank of LoRA adapters; 0 trains all weights", least=0, most=4_096)
    save_every: int = option(20, "steps between resumable states", least=1)

    def conflicts(self) -> dict[str, str]:
        if self.margin and self.loss != "pairs":
            return {"margin": f"is for the loss pairs, found loss {self.loss}; set margin to 0"}
        if self.combine == "weights" and self.members == 1:
            return {"combine": "weights needs two or more members to average; raise members"}
        return {}

    @property
    def left_out(self) -> list[str]:
        """Each labeler to fit without, once, in the order given."""
        return list(dict.fromkeys(name.strip() for name in self.leave_out.split(",") if name.strip()))


@dataclass(frozen=True, kw_only=True)
class PpoConfig(Config):
    """Proximal policy optimization against a reward, held near the starting policy by a KL term.

    In order: rollouts, what they earn, who is credited, the updates, and what fits the machine.
    """

    updates: int = option(40, "iterations: rollouts, then epochs over them", least=1, most=1_000_000)
    prompts_per_update: int = option(32, "prompts an iteration", least=1)
    rollouts_per_prompt: int = option(4, "K: responses per prompt; the prompt is encoded once", least=1, most=256)
    max_new_tokens: int = option(64, "longest response, tokens", least=1, most=131_072)
    temperature: float = option(1.0, "divides the logits in sampling, old, new and reference alike", above=0, most=10)

    rewards: str = option(
        "reward_model",
        "a sum such as 'reward_model + 2*numeric': reward_model as its ensemble was combined, reward_model.mean, .min "
        "or .variance over its members, or a verifier (" + ", ".join(VERIFIERS) + ")",
    )
    score_clip: float = option(5.0, "the sum is clipped to plus and minus this; scores are normalized", above=0)
    truncated_score: float = option(-1.0, "score of a response without a stop token")
    kl_coefficient: float = option(0.05, "beta: nats of KL per unit of reward", least=0)
    kl_target: float = option(0.0, "mean sequence KL that beta adapts to, nats; 0 keeps beta fixed", least=0)
    kl_horizon: int = option(1_000, "rollouts over which beta adapts; arXiv 1909.08593 takes 10,000", least=1)

    advantages: str = option(
        "gae",
        "gae: a critic, token by token; without one, rloo: against the mean of the prompt's other responses (arXiv "
        "2402.14740), grpo: against all their mean and spread (arXiv 2402.03300)",
        choices=("gae", "rloo", "grpo"),
    )
    discount: float = option(1.0, "gamma", above=0, most=1)
    gae_lambda: float = option(0.95, "lambda of generalized advantage estimation (arXiv 1506.02438)", least=0, most=1)
    critic: str = option(
        "separate",
        "separate: its own model, from the reward model; shared: a head on the policy; unused by rloo and grpo",
        choices=("separate", "shared"),
    )
    critic_learning_rate: float = option(5e-4, "AdamW, critic", above=0, most=1)
    critic_warmup_updates: int = option(2, "first iterations that train the critic only", least=0)
    value_clip: float = option(0.2, "largest move of a value from its old one in the clipped loss", above=0)
    value_coefficient: float = option(0.1, "weight of the value loss where critic is shared", least=0)

    epochs: int = option(2, "passes over one iteration's rollouts", least=1, most=100)
    minibatches: int = option(2, "optimizer steps an epoch", least=1)
    learning_rate: float = option(3e-4, "AdamW, policy, linear decay to 0; about 3e-6 for 1B and more", above=0, most=1)
    ratio_clip: float = option(0.2, "epsilon of the policy loss (arXiv 1707.06347)", above=0, most=1)
    approx_kl_limit: float = option(0.1, "an epoch stops beyond this mean KL to the old policy, nats a token", above=0)
    gradient_clip: float = option(1.0, "largest gradient norm, after accumulation", above=0)

    lora_rank: int = option(
        0, "rank of adapters on one base, merged at the end; 0 trains all weights", least=0, most=4_096
    )
    micro_batch_tokens: int = option(8_192, "most padded tokens in one pass; halved once if memory runs out", least=64)
    gradient_checkpointing: bool = option(False, "recompute activations: less memory, more time")
    bf16: bool = option(False, "bfloat16 autocast, for GPUs; weights, losses and values stay in fp32")
    save_every: int = option(10, "iterations between resumable states", least=1)

    def conflicts(self) -> dict[str, str]:
        problems = {}
        if self.minibatches > self.prompts_per_update:
            problems["minibatches"] = f"cannot exceed prompts_per_update {self.prompts_per_update}: prompts stay whole"
        if self.advantages != "gae" and self.rollouts_per_prompt < 2:
            problems["rollouts_per_prompt"] = f"{self.advantages} compares responses to one prompt: at least 2"
        try:
            reward_terms(self.rewards)
        except ValueError as error:
            problems["rewards"] = str(error)
        return problems

    def needs(self, name: str) -> bool:
        return name != "reward_model" or any(term in MODEL_REWARDS for term in reward_terms(self.rewards))


def reward_terms(text: str) -> dict[str, float]:
    """The weight of each named reward in a sum such as `reward_model.mean - 0.5*reward_model.variance + numeric`.

    Raises ValueError with one sentence where the text is no such sum.
    """
    weights: dict[str, float] = {}
    at = 0
    while at < len(text) or not weights:
        term = _TERM.match(text, at)
        if term is None or (weights and not term["sign"]):
            raise ValueError(f"expected terms such as 2*numeric with + or - between; cannot read {text[at:]!r}")
        name, weight = term["name"], float(term["weight"] or 1)
        if name not in (*MODEL_REWARDS, *VERIFIERS):
            raise ValueError(f"there is no reward {name!r}; name {', '.join((*MODEL_REWARDS, *VERIFIERS))}")
        if name in weights or not weight:
            raise ValueError(f"{name} needs one weight other than 0; add up terms that are named twice")
        weights[name], at = -weight if term["sign"] == "-" else weight, term.end()
    return weights


@dataclass(frozen=True, kw_only=True)
class BestOfNConfig(Config):
    """Best-of-n with rejection-sampling fine-tuning: learn from the shortest correct of n attempts, again and again."""

    verifier: str = option("numeric", "what says whether a reply is right, by the prompt's meta", choices=VERIFIERS)
    iterations: int = option(4, "rounds of attempts and learning", least=1, most=1_000)
    attempts: int = option(15, "n: attempts at each training problem", least=1, most=1_024)
    max_new_tokens: int = option(128, "longest reply, tokens", least=1, most=131_072)
    temperature: float = option(1.0, "divides the logits; no top-k, no top-p", above=0, most=10)
    sampling_batch_size: int = option(256, "attempts decoded side by side", least=1)
    epochs: int = option(2, "passes over the kept attempts, each iteration", least=1, most=100)
    batch_size: int = option(32, "kept attempts a step", least=1, most=65_536)
    micro_batch_tokens: int = option(8_192, "most padded tokens in one forward pass", least=64)
    learning_rate: float = option(5e-4, "AdamW, linear decay to 0 within an iteration", above=0, most=1)
    gradient_clip: float = option(1.0, "largest gradient norm", above=0)
    restart: bool = option(False, "each iteration learns from the starting policy on (STaR), not from the newest")
    heldout_attempts: int = option(4, "attempts at each held-out problem, after each iteration", least=1, most=1_024)
    heldout_share: float = option(
        0.2, "share of problems held out where the snapshot holds out none", above=0, most=0.9
    )
    correction_pattern: str = option("(?i)\\bwait\\b", "regular expression of a self-correction, which is counted")

    def conflicts(self) -> dict[str, str]:
        try:
            re.compile(self.correction_pattern)
        except re.error as error:
            return {"correction_pattern": f"is not a regular expression: {error}"}
        return {}


@dataclass(frozen=True, kw_only=True)
class DpoConfig(Config):
    """Direct preference optimization: a policy straight from rankings, without a reward model."""

    beta: float = option(0.1, "how strongly the policy is held near its start (arXiv 2305.18290)", above=0, most=100)
    loss: str = option(
        "sigmoid",
        "sigmoid: Bradley-Terry; ipo: squared, for labels without noise (arXiv 2310.12036); hinge (arXiv 2305.10425)",
        choices=("sigmoid", "ipo", "hinge"),
    )
    label_smoothing: float = option(0.0, "share of labels taken to be wrong; sigmoid only", least=0, most=0.49)
    pairs: str = option(
        "all",
        "all: every decided pair of a ranking; furthest: the one furthest apart in rank",
        choices=("all", "furthest"),
    )
    epochs: float = option(1.0, "passes over the pairs", above=0, most=1_000)
    batch_size: int = option(16, "pairs a step", least=1, most=65_536)
    learning_rate: float = option(5e-5, "AdamW peak; about 5e-7 for models of 1B and more", above=0, most=1)
    warmup_ratio: float = option(0.1, "share of steps in linear warm-up", least=0, most=1)
    gradient_clip: float = option(1.0, "largest gradient norm", above=0)
    max_length: int = option(1_024, "longest prompt and response, tokens; longer ones are cut and counted", least=8)
    gradient_accumulation: int = option(1, "micro-batches a step", least=1)
    gradient_checkpointing: bool = option(False, "recompute activations: less memory, more time")
    bf16: bool = option(False, "bfloat16 autocast; GPU only")
    lora_rank: int = option(0, "rank of LoRA adapters, merged at the end; 0 trains all weights", least=0, most=4_096)
    save_every: int = option(50, "steps between resumable states", least=1)


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Config):
    """Rollouts of one policy, or of two side by side, on held-out prompts, with the same seeds."""

    rollouts_per_prompt: int = option(1, "responses per prompt and policy", least=1, most=64)
    max_prompts: int = option(0, "prompts, drawn with the run's seed; 0 means all", least=0)
    max_new_tokens: int = option(64, "longest response, tokens", least=1, most=131_072)
    temperature: float = option(1.0, "divides the logits", above=0, most=10)
    batch_size: int = option(64, "rollouts decoded side by side", least=1)


@dataclass(frozen=True, kw_only=True)
class ExportConfig(Config):
    """A reward model as a plain sequence classifier with a model card, to download and load without this project."""

    member: int = option(-1, "of an ensemble: the member to export, from 0; -1 where there is one", least=-1, most=15)
    average: bool = option(False, "of an ensemble: export the mean of its members' weights")

    def conflicts(self) -> dict[str, str]:
        return {"member": "cannot be named together with average"} if self.average and self.member >= 0 else {}


@dataclass(frozen=True, kw_only=True)
class Input:
    """One named thing that a run works on. `accepts` are the kinds of checkpoint or snapshot."""

    accepts: tuple[str, ...]
    help: str
    required: bool = True


POLICIES = ("base", "policy")
CONFIGS: dict[str, type[Config]] = {
    "pretrain": PretrainConfig,
    "sft": SftConfig,
    "sample": SampleConfig,
    "reward_model": RewardModelConfig,
    "ppo": PpoConfig,
    "best_of_n": BestOfNConfig,
    "dpo": DpoConfig,
    "evaluate": EvaluateConfig,
    "export": ExportConfig,
}
INPUTS: dict[str, dict[str, Input]] = {
    "pretrain": {"corpus": Input(accepts=("corpus",), help="text, one document a paragraph block")},
    "sft": {
        "base": Input(accepts=POLICIES, help="checkpoint, or a Hugging Face directory or hub name"),
        "demonstrations": Input(accepts=("demonstrations",), help="snapshot of demonstrations"),
    },
    "sample": {
        "policy": Input(accepts=POLICIES, help="checkpoint to sample from; unneeded where a server draws"),
        "prompts": Input(accepts=("prompts",), help="snapshot of prompts"),
        "reward_model": Input(accepts=("reward_model",), help="scores the rollouts", required=False),
    },
    "reward_model": {
        "base": Input(accepts=POLICIES, help="backbone, usually the SFT policy"),
        "rankings": Input(accepts=("rankings",), help="snapshot of rankings"),
    },
    "ppo": {
        "policy": Input(accepts=POLICIES, help="starting policy, which is also the KL reference"),
        "reward_model": Input(accepts=("reward_model",), help="reward model; unneeded where rewards name none"),
        "prompts": Input(accepts=("prompts",), help="snapshot of training prompts"),
    },
    "best_of_n": {
        "policy": Input(accepts=POLICIES, help="starting policy, which is right now and then"),
        "prompts": Input(accepts=("prompts",), help="snapshot of problems; held-out ones only measure"),
    },
    "dpo": {
        "policy": Input(accepts=POLICIES, help="starting policy, which is also the reference"),
        "rankings": Input(accepts=("rankings",), help="snapshot of rankings; held-out ones only measure"),
    },
    "evaluate": {
        "policy": Input(accepts=POLICIES, help="policy to evaluate"),
        "reference": Input(accepts=POLICIES, help="policy to compare with; KL is measured to it", required=False),
        "reward_model": Input(accepts=("reward_model",), help="scores the rollouts", required=False),
        "prompts": Input(accepts=("prompts",), help="snapshot of held-out prompts"),
    },
    "export": {"reward_model": Input(accepts=("reward_model",), help="reward model to export")},
}
# The kind of checkpoint that a succeeded run registers; kinds that are missing here register none.
PRODUCES = {
    "pretrain": "base",
    "sft": "policy",
    "ppo": "policy",
    "best_of_n": "policy",
    "dpo": "policy",
    "reward_model": "reward_model",
}
KINDS = tuple(CONFIGS)


def parse(kind: str, plain: Any) -> Config:
    """Return the checked config of a run kind, or raise `ConfigError` naming every bad field."""
    if kind not in CONFIGS:
        raise ConfigError({"kind": f"must be one of {', '.join(KINDS)}; found {kind!r}"})
    if not isinstance(plain, dict):
        raise ConfigError({"config": f"expected an object, found {type(plain).__name__}"})
    cls = CONFIGS[kind]
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    unknown = {name: f"unknown key; {kind} takes {', '.join(known)}" for name in plain if name not in known}
    values = {name: widened(known[name].type, plain[name]) for name in known if name in plain}
    try:
        config = cls(**values)
    except ConfigError as error:
        raise ConfigError({**unknown, **error.fields}) from None
    if unknown:
        raise ConfigError(unknown)
    return config


def schema(kind: str) -> list[dict[str, Any]]:
    """The options of a kind in order: name, type, default, help and range, ready for a form."""
    rows = []
    for f in fields(CONFIGS[kind]):  # type: ignore[arg-type]
        assert f.default is not MISSING, f"{kind}.{f.name} needs a default"
        rows.append({"name": f.name, "type": f.type, "default": f.default, **f.metadata})
    return rows
