# Two commands are enough: `make demo` and `make test`. Both set up what they need.
.PHONY: demo test fuzz bench lock clean

demo: ; @scripts/setup base && .venv/bin/python scripts/demo.py

test: ; @scripts/test

fuzz: ; @scripts/setup dev && scripts/fuzz 60

bench: ; @scripts/setup dev && .venv/bin/python -m benchmarks && .venv/bin/python -m benchmarks.bombs --slow

lock: ; @scripts/setup dev && scripts/lock

clean: ; rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache demo dist
