PYTHON ?= python3
PORT ?= 8000
CORPUS ?= bbc-news
ARTIFACT ?= artifacts/demo
TEST ?=
SEEDS ?= 1
SERVING ?=
METHODS ?=
TORCH_INDEX ?=
BIN := .venv/bin
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
IN_PARALLEL := --numprocesses 3 --dist loadfile
RAY_TESTS := httpx hypothesis pandas pytest pytest-timeout rich
RIVALS := $(patsubst benchmarks/servers/%.txt,.venv-bench/%/installed,$(wildcard benchmarks/servers/*.txt))

.PHONY: install demo train serve test test-slow clients test-ray lint format bench bench-accuracy bench-servers bench-overload bench-worst gpu \
	bench-client bench-offline images chaos soak swaps sbom lock wheels test-wheels test-lowest
.DEFAULT_GOAL := install

install: .venv/installed

.venv/installed: pyproject.toml client/pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	@$(if $(TORCH_INDEX),,echo "Without a GPU, make demo TORCH_INDEX=URL of PyTorch's CPU index downloads 0.5 GB; else Linux may download 3 GB.")
	$(BIN)/python -m pip install --quiet $(INDEX) --constraint requirements.lock --editable '.[training,dev,otel]' --editable ./client
	touch $@

$(ARTIFACT)/manifest.json: | .venv/installed
	$(BIN)/docket train $(CORPUS) --out $(ARTIFACT)

train: install $(ARTIFACT)/manifest.json

demo: train
	@echo 'Try it from another terminal:'
	@echo "  curl -s http://127.0.0.1:$(PORT)/predict -H 'content-type: application/json' -d '{\"text\": \"A late goal won the cup for the home side.\", \"top_k\": 2}'"
	@$(BIN)/docket serve $(ARTIFACT) --port $(PORT)

serve: install
	$(BIN)/docket serve $(ARTIFACT) --port $(PORT)

test: install lint
	$(BIN)/python -m pytest -m 'not slow' $(IN_PARALLEL) --cov --cov-report=term --cov-fail-under=0 $(PYTEST)

test-slow: install
	-$(MAKE) clients
	$(BIN)/python -m pytest -m slow $(IN_PARALLEL) --cov --cov-append --cov-report=term $(PYTEST)

.venv-clients/installed: tests/protocols/clients.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/python -m pip install --quiet --requirement $<
	touch $@

clients: .venv-clients/installed

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/hadolint Dockerfile
	@if docker compose version >/dev/null 2>&1; then docker compose config --quiet; \
	else echo "docker-compose.yml is not checked: there is no docker compose here"; fi
	@$(BIN)/python deploy/audit.py

sbom: install
	mkdir -p dist
	sed "s/^dynamic = .*/version = \"$$($(BIN)/docket --version | cut -d' ' -f2)\"/" pyproject.toml | \
		$(BIN)/cyclonedx-py requirements requirements.lock --pyproject /dev/stdin --output-reproducible --output-file dist/docket.cdx.json

chaos: install
	$(BIN)/python -m pytest tests/chaos --full --table docs/resilience.md

soak: train
	$(BIN)/python -m benchmarks soak $(if $(MINUTES),--minutes $(MINUTES))

swaps: train
	$(BIN)/python -m benchmarks swaps

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/bench: .venv/installed
	$(BIN)/python -m pip install --quiet --constraint requirements.lock $(INDEX) --editable '.[training,dev,otel,bench]' --editable ./client
	touch $@

.venv-bench/%/installed: benchmarks/servers/%.txt
	$(PYTHON) -m venv .venv-bench/$*
	.venv-bench/$*/bin/python -m pip install --quiet --requirement $<
	.venv-bench/$*/bin/python -m pip install --quiet --no-deps --editable .
	touch $@

bench: train .venv/bench
	-$(MAKE) --keep-going $(RIVALS)
	$(BIN)/python -m benchmarks performance

bench-servers: .venv/bench
	-$(MAKE) --keep-going $(RIVALS)
	$(BIN)/python -m benchmarks serving $(SERVING)

bench-overload: .venv/bench
	$(BIN)/python -m benchmarks overload $(OVERLOAD)

bench-worst: .venv/bench
	$(BIN)/python -m benchmarks worst $(WORST)

gpu:
	$(if $(wildcard .venv/installed),$(BIN)/python,$(PYTHON)) -m benchmarks gpu

bench-client: train
	$(BIN)/python -m benchmarks client $(ARTIFACT)

.venv-ray/installed: pyproject.toml requirements-ray.lock
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/python -m pip install --quiet $(INDEX) --constraint requirements-ray.lock --editable '.[ray]' $(RAY_TESTS)
	touch $@

images: train
	$(BIN)/python -m tests.support.page_images $(ARTIFACT)

wheels:
	rm -rf dist
	$(PYTHON) -m pip wheel --quiet --no-deps --wheel-dir dist . ./client

test-wheels: wheels
	rm -rf .venv-wheels && $(PYTHON) -m venv .venv-wheels
	.venv-wheels/bin/python -m pip install --quiet $(INDEX) --constraint requirements.lock \
		"$$(echo dist/docket_classifier-[0-9]*.whl)[training]" dist/docket_classifier_client-[0-9]*.whl
	.venv-wheels/bin/python -I tests/support/installed.py

test-lowest:
	rm -rf .venv-lowest && $(PYTHON) -m venv .venv-lowest
	$(PYTHON) tests/support/lowest_versions.py > .venv-lowest/constraints.txt
	.venv-lowest/bin/python -m pip install --quiet $(INDEX) --constraint .venv-lowest/constraints.txt \
		--editable '.[training,dev,otel]' --editable ./client
	.venv-lowest/bin/python -m pytest -m 'not slow' $(IN_PARALLEL) -p no:cacheprovider

test-ray: .venv-ray/installed
	.venv-ray/bin/python -m pytest tests/scoring/test_cluster.py

bench-offline: train .venv-ray/installed
	$(BIN)/python -m benchmarks offline

bench-accuracy: .venv/bench
	$(BIN)/python -m benchmarks accuracy $(CORPUS) $(if $(TEST),--test $(TEST)) --seeds $(SEEDS) $(METHODS)

lock:
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet 'torch==2.13.0' '.[training,dev,otel,bench]' ./client
	.venv/lock/bin/python -m pip freeze --exclude docket-classifier --exclude docket-classifier-client | sed 's/+cpu$$//' > requirements.lock
	rm -rf .venv/lock && $(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -m pip install --quiet --constraint requirements.lock '.[ray]' $(RAY_TESTS)
	.venv/lock/bin/python -m pip freeze --exclude docket-classifier | sed 's/+cpu$$//' > requirements-ray.lock
