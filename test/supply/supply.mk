# What is delivered, and how it came to be: the file's hardening, the list of its parts, the unit, the image; built twice.
BESIDE += test/supply/supply.py test/supply/reproducible.sh

.PHONY: hardening reproducible sbom
hardening: all
	$(Q)scripts/hardening
reproducible:
	$(Q)scripts/reproducible
sbom: all
	$(Q)scripts/sbom >build/presenced.spdx.json
	@echo build/presenced.spdx.json
