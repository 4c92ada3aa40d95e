"""What `cargo xtask bench --against-python` compares gptune with, in PyTorch.

    pytorch.py TASK VARIANT MODEL DATA STEPS WARMUP

TASK is train, evaluate, generate or run (steps with the book's evaluations between them). VARIANT is `book`, the method of chapter 7 of 'Build a Large
Language Model From Scratch' written anew (its own attention, LayerNorm and GELU, padded batches,
default AdamW, generation without a cache), or `transformers` (GPT2LMHeadModel with SDPA, fused AdamW,
key/value cache). MODEL is a folder in the Hugging Face layout. DATA is the JSON that
`gptune data batches` prints, or for generate a list of prompts as ids. Prints one JSON document like
`gptune bench --json`.
Made for torch 2.9.0 and transformers 5.23.0 (CPU).
"""

import json
import pathlib
import resource
import sys
import time

import torch
from torch import nn

IGNORE = -100
END_OF_TEXT = 50256
NEW_TOKENS = 64


class LayerNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, keepdim=True, unbiased=False)
        return self.scale * ((x - mean) / torch.sqrt(variance + 1e-5)) + self.shift


class Gelu(nn.Module):
    def forward(self, x):
        inner = torch.sqrt(torch.tensor(2.0 / torch.pi)) * (x + 0.044715 * torch.pow(x, 3))
        return 0.5 * x * (1 + torch.tanh(inner))


class Attention(nn.Module):
    """Separate projections, an explicit mask, no fused kernel."""

    def __init__(self, width, heads, context):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.register_buffer("mask", torch.triu(torch.ones(context, context), diagonal=1))

    def forward(self, x):
        b, t, c = x.shape

        def split(y):
            return y.view(b, t, self.heads, c // self.heads).transpose(1, 2)

        q, k, v = split(self.query(x)), split(self.key(x)), split(self.value(x))
        scores = q @ k.transpose(2, 3)
        scores.masked_fill_(self.mask.bool()[:t, :t], -torch.inf)
        weights = torch.softmax(scores / k.shape[-1] ** 0.5, dim=-1)
        return self.out((weights @ v).transpose(1, 2).contiguous().view(b, t, c))


class Block(nn.Module):
    def __init__(self, width, heads, context):
        super().__init__()
        self.attention = Attention(width, heads, context)
        self.feed_forward = nn.Sequential(nn.Linear(width, 4 * width), Gelu(), nn.Linear(4 * width, width))
        self.norm1, self.norm2 = LayerNorm(width), LayerNorm(width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.feed_forward(self.norm2(x))


class Book(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, self.context = config["n_embd"], config["n_positions"]
        self.tokens = nn.Embedding(config["vocab_size"], width)
        self.positions = nn.Embedding(self.context, width)
        blocks = [Block(width, config["n_head"], self.context) for _ in range(config["n_layer"])]
        self.blocks = nn.Sequential(*blocks)
        self.norm = LayerNorm(width)
        self.head = nn.Linear(width, config["vocab_size"], bias=False)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.head(self.norm(self.blocks(x)))


def book_model(folder):
    """The checkpoint's weights in the book's layout: linears transposed, queries, keys, values apart."""
    from safetensors.torch import load_file

    model = Book(json.loads((folder / "config.json").read_text()))
    weights = {name.removeprefix("transformer."): value for name, value in load_file(folder / "model.safetensors").items()}

    def linear(layer, name):
        layer.weight.data.copy_(weights[f"{name}.weight"].T)
        layer.bias.data.copy_(weights[f"{name}.bias"])

    def norm(layer, name):
        layer.scale.data.copy_(weights[f"{name}.weight"])
        layer.shift.data.copy_(weights[f"{name}.bias"])

    model.tokens.weight.data.copy_(weights["wte.weight"])
    model.positions.weight.data.copy_(weights["wpe.weight"])
    for index, block in enumerate(model.blocks):
        name, attention = f"h.{index}", block.attention
        qkv = zip(weights[f"{name}.attn.c_attn.weight"].chunk(3, dim=1), weights[f"{name}.attn.c_attn.bias"].chunk(3))
        for layer, (weight, bias) in zip((attention.query, attention.key, attention.value), qkv):
            layer.weight.data.copy_(weight.T)
            layer.bias.data.copy_(bias)
        linear(attention.out, f"{name}.attn.c_proj")
        linear(block.feed_forward[0], f"{name}.mlp.c_fc")
        linear(block.feed_forward[2], f"{name}.mlp.c_proj")
        norm(block.norm1, f"{name}.ln_1")
        norm(block.norm2, f"{name}.ln_2")
    norm(model.norm, "ln_f")
    model.head.weight.data.copy_(weights.get("lm_head.weight", weights["wte.weight"]))
    return model


def loss_of(logits, batch):
    return nn.functional.cross_entropy(logits.flatten(0, 1), torch.tensor(batch["targets"]).flatten(), ignore_index=IGNORE)


def real_tokens(batch):
    """The examples' own tokens: as many as they have targets, end-of-text for the first one."""
    return sum(target != IGNORE for row in batch["targets"] for target in row)


def main():
    task, variant, folder, data, steps, warmup = sys.argv[1:]
    steps, warmup = int(steps), int(warmup)
    folder, data = pathlib.Path(folder), json.loads(pathlib.Path(data).read_text())
    torch.manual_seed(123)
    if variant == "book":
        model = book_model(folder)
        logits_of = model
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.1)
    else:
        from transformers import GPT2LMHeadModel

        model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa", dtype=torch.float32)
        # Fine-tuning trains the head as a matrix of its own.
        model.lm_head.weight = nn.Parameter(model.lm_head.weight.detach().clone())

        def logits_of(ids):
            return model(input_ids=ids, use_cache=False).logits

        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5, weight_decay=0.1, fused=True)
        for module in model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def train(index):
        batch = data[index % len(data)]
        optimizer.zero_grad()
        loss = loss_of(logits_of(torch.tensor(batch["inputs"])), batch)
        loss.backward()
        optimizer.step()
        loss.item()
        return real_tokens(batch)

    def evaluate(index):
        batches = [data[(5 * index + offset) % len(data)] for offset in range(5)]
        with torch.no_grad():
            sum(loss_of(logits_of(torch.tensor(batch["inputs"])), batch).item() for batch in batches)
        return sum(map(real_tokens, batches))

    def run(index):
        """A step of the whole run: every fifth one is followed by an evaluation of ten batches."""
        tokens = train(index)
        if index % 5 == 0:
            evaluate(index)
            evaluate(index + 1)
        return tokens

    def generate(_):
        with torch.no_grad():
            if variant == "book":
                for prompt in data:
                    ids = torch.tensor([prompt])
                    for _ in range(NEW_TOKENS):
                        logits = model(ids[:, -model.context :])[:, -1]
                        ids = torch.cat((ids, logits.argmax(dim=-1, keepdim=True)), dim=1)
            else:
                longest = max(map(len, data))
                ids = torch.tensor([[END_OF_TEXT] * (longest - len(prompt)) + prompt for prompt in data])
                mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in data])
                length = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS}
                out = model.generate(ids, attention_mask=mask, do_sample=False, pad_token_id=END_OF_TEXT, **length)
                assert out.shape[1] == longest + NEW_TOKENS
        return NEW_TOKENS * len(data)

    model.train(task in ("train", "run"))
    work = {"train": train, "evaluate": evaluate, "generate": generate, "run": run}[task]
    samples = []
    for index in range(warmup + steps):
        start = time.perf_counter()
        tokens = work(index)
        samples.append({"seconds": time.perf_counter() - start, "tokens": tokens})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"samples": samples[warmup:], "peak_memory_bytes": peak}))


main()
