# What a person runs by hand. `make` alone lists it.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help in_git setup data real repro report readme tour evidence docs test bench gpu lint lab lock clean

# Any Python from 3.11 on will do: make setup PYTHON=/path/to/python
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
VENV_PYTHON := $(VENV)/bin/python
LOG := $(VENV)/setup.log

# Stages that `make repro` runs side by side; 0: two, or one for each GPU.
JOBS ?= 0
# The address of the Dask cluster that runs them; empty: one on this machine, for this command.
SCHEDULER ?=
# Only the stages of this dataset, and what joins all datasets; empty: all.
ONLY ?=
# Seconds that one stage may take; 0: as long as it likes.
LIMIT ?= 0
# As variables of the environment they are words to the shell, whatever stands in them.
export JOBS SCHEDULER ONLY LIMIT REFERENCE COPIES

# Stages of the pipeline start papermill, python and the like by name: ours come first.
WITH_VENV := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

# Hashes make the pins exact whatever else pip is told on a machine; --no-deps, since the pins are complete.
# Without isolation what must be built is built by the pinned setuptools, not by one fetched for the occasion.
PIP_INSTALL := $(VENV_PYTHON) -m pip --disable-pip-version-check --no-input install --quiet \
	--progress-bar off --no-deps --use-pep517 --no-build-isolation

# pip's words are kept for the case that it fails.
quietly = $(1) >>$(LOG) 2>&1 || { grep -v -e ^WARNING -e 'Expected  *or' $(LOG) | tail -n 20 >&2; \
	echo "The set-up failed; all of pip's messages are in $(LOG)." >&2; exit 1; }

# The interpreter behind PYTHON; not the one of an active .venv, which may be about to be replaced.
define find_python
	base=$$("$(PYTHON)" -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print(sys._base_executable)' \
		2>/dev/null) || { echo "svqkit needs Python 3.11 or newer; '$(PYTHON)' is older or can't be run." \
		"Add PYTHON=/path/to/python3.11 to the make command." >&2; exit 1; }
endef

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(VENV)/.ready  ## make .venv with exactly what requirements.lock pins, and svqkit itself

# Each stamp is written last: an interrupted set-up has none and is begun again, from an empty folder.
# The first is a copy of the lock, so that a lock with a new date but the same text costs a second only.
$(VENV)/.pinned: requirements.lock
	@if cmp -s requirements.lock $@; then touch $@; exit 0; fi; \
	$(find_python); \
	echo "Installing $$(grep -c == requirements.lock) pinned packages into $(VENV): about 3 minutes, 7 GB."; \
	rm -f $@ $(VENV)/.ready; \
	"$$base" -m venv --clear $(VENV) || exit 1; \
	awk '/^setuptools==/ { on = 1 } on { print; if (!/\\$$/) exit }' requirements.lock >$(VENV)/setuptools.lock; \
	$(call quietly,$(PIP_INSTALL) --require-hashes -r $(VENV)/setuptools.lock); \
	$(call quietly,$(PIP_INSTALL) --require-hashes -r requirements.lock); \
	cp requirements.lock $@.part && mv $@.part $@

# Opened and run notebooks are committed without outputs (see .gitattributes).
$(VENV)/.ready: $(VENV)/.pinned pyproject.toml
	@echo "Installing svqkit itself, as a link to this folder."; rm -f $@; \
	$(call quietly,$(PIP_INSTALL) --editable .); \
	if git rev-parse --git-dir >/dev/null 2>&1; then \
		git config filter.notebook.clean "[ ! -x $(VENV_PYTHON) ] && cat || $(VENV_PYTHON) -m svqkit.pipeline.clean_notebook"; fi; \
	touch $@

# DVC knows a project by its git folder, which a ZIP has not.
in_git:
	@git rev-parse --git-dir >/dev/null || { echo "DVC needs this folder to be a git repository, and git doesn't take it" \
		"for one. If it came as a ZIP: 'git init' here is enough; or clone the project." >&2; exit 1; }

# A pull that was cut off leaves a part of data/, which dvc would take for a new version: hence the mark.
# Without --force, so that it never overwrites data of the user's own.
data: in_git setup  ## fetch the tracked data, where there is none yet
	@mark=.dvc/tmp/pulling; if [ ! -e data ] || [ -e $$mark ]; then \
		mkdir -p .dvc/tmp; touch $$mark; \
		if $(VENV_PYTHON) -m dvc pull data.dvc; then rm $$mark; \
		else [ -e data ] || rm $$mark; exit 1; fi; fi

real: setup  ## fetch the measured data of profile real, or take copies of them (COPIES=folder)
	@$(VENV_PYTHON) -m svqkit.data.real $(if $(COPIES),--copies "$$COPIES")

repro: data  ## run every stage that is out of date, JOBS=2 at a time; the report is reports/index.html
	@$(WITH_VENV) $(VENV_PYTHON) -m svqkit.pipeline.run_stages \
		--jobs "$$JOBS" --scheduler "$$SCHEDULER" --only "$$ONLY" --limit "$$LIMIT"
	@[ ro-crate-metadata.json -nt dvc.lock ] || $(VENV_PYTHON) -m svqkit.pipeline.crate
	@echo; echo "Everything is in reports/index.html"

report: setup  ## make tables, figures and the report again, from the scores that there are
	@$(WITH_VENV) $(VENV_PYTHON) -m svqkit.pipeline.run_stages \
		--only settings notebooks gather tables paper_figures report

readme: setup  ## write the README's tables again, from the results of profile sample and docs/evidence
	@$(VENV_PYTHON) -m svqkit.paper.readme

tour: setup  ## write docs/tour.md again: notebooks/tour.ipynb, executed on the runs of profile sample
	@$(WITH_VENV) $(VENV_PYTHON) -m svqkit.paper.page tour

evidence: setup  ## write docs/evidence.md and its numbers again, from the results of profile real
	@$(VENV_PYTHON) -m svqkit.paper.evidence
	@$(WITH_VENV) $(VENV_PYTHON) -m svqkit.paper.page evidence

# Links to what the pages lead to, so that they find it as in the repository.
docs: setup  ## write the docs as a site, with a reference from the docstrings: build/site/index.html
	@rm -rf build/docs && mkdir -p build/docs && ln -s $(addprefix ../../,README.md CHANGELOG.md CONTRIBUTING.md LICENSE \
		CITATION.cff Dockerfile pyproject.toml environment.yml params.yaml docs notebooks) build/docs
	@$(VENV_PYTHON) -m mkdocs build

bench: setup  ## measure steps, evaluation and scaling here, beside REFERENCE=a checkout of SVQ-Forecasting, if given
	@$(VENV_PYTHON) -m benchmarks $(if $(REFERENCE),--reference "$$REFERENCE") \
		$(if $(shell command -v nvidia-smi),--precisions fp32 bf16 --compile off on graphs)
	@$(VENV_PYTHON) -m benchmarks.scale
	@$(VENV_PYTHON) -m benchmarks.processes

gpu: setup  ## on a GPU: its tests, then a benchmark of eight minutes, into docs/gpu.csv and docs/performance.md
	@$(WITH_VENV) $(VENV_PYTHON) -m pytest -m gpu tests/test_gpu.py
	@$(VENV_PYTHON) -m benchmarks.gpu $(if $(REFERENCE),--reference "$$REFERENCE")

# Those that are marked slow are left to ALL=1, unless ARGS picks some itself.
test: data  ## run the tests on two cores, ALL=1: also the slow ones (ARGS="-k word" picks some)
	@$(WITH_VENV) $(VENV_PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(if $(ALL)$(ARGS),,-m "not slow") $(ARGS)

lint: setup  ## check style, format and the core's types; `.venv/bin/ruff format` mends the format
	@failed=0; $(VENV_PYTHON) -m ruff check . || failed=1; \
	$(VENV_PYTHON) -m ruff format --check . || failed=1; \
	$(VENV_PYTHON) -m mypy || failed=1; exit $$failed

lab: setup  ## open the notebooks in JupyterLab
	@$(WITH_VENV) $(VENV_PYTHON) -m jupyterlab notebooks

# uv is not one of the pins: it lives for this one command. Old pins are kept where they still fit.
lock:  ## make requirements.lock again from pyproject.toml (UPGRADE=1: with the newest versions)
	@$(find_python); rm -rf .venv-lock; "$$base" -m venv .venv-lock
	@.venv-lock/bin/python -m pip --disable-pip-version-check install --quiet uv >.venv-lock/log 2>&1 \
		|| { cat .venv-lock/log >&2; exit 1; }
	@if [ -e requirements.lock ]; then cp requirements.lock .venv-lock/pins; fi
	@.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --extra dev --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(if $(UPGRADE),--upgrade) \
		--output-file .venv-lock/pins pyproject.toml
	@{ echo "# Made by \`make lock\` from pyproject.toml, not by hand: every package that is needed, exactly."; \
		grep -v '^#' .venv-lock/pins; } >requirements.lock.part
	@mv requirements.lock.part requirements.lock; rm -rf .venv-lock
	@echo "requirements.lock: $$(grep -c == requirements.lock) pins. Next: make setup"

clean:  ## remove caches and leftovers of builds; data, results and .venv stay
	@rm -rf build dist svqkit.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .venv-lock
	@find svqkit tests notebooks benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune \
		-exec rm -rf {} + 2>/dev/null || true
