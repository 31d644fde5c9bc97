"""Those who only want to know where the pair lies must not load torch, numpy or a tokenizer."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["sparkdesk.demo", "sparkdesk.demo.bundled", "sparkdesk.demo.corpus.dialogue"])
def test_light_modules_load_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'tokenizers', 'numpy', 'safetensors'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
