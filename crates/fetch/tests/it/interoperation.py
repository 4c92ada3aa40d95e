"""Uses the cache and the Hub that the environment names, as other tools do."""

import sys
from pathlib import Path

from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download, try_to_load_from_cache

REPOSITORY = "owner/name"
FILES = ["config.json", "model.safetensors", "onnx/a b.txt"]

if sys.argv[1] == "find":
    snapshot = Path(sys.argv[2])
    for name in FILES:
        found = try_to_load_from_cache(REPOSITORY, name)
        assert isinstance(found, str) and Path(found) == snapshot / name, found
    assert try_to_load_from_cache(REPOSITORY, "merges.txt") is None
    assert Path(snapshot_download(REPOSITORY, local_files_only=True)) == snapshot
    assert Path(hf_hub_download(REPOSITORY, FILES[1], local_files_only=True)).stat().st_size == 300_007
elif sys.argv[1] == "download":
    for name in FILES:
        print(hf_hub_download(REPOSITORY, name))
elif sys.argv[1] == "find-data":
    snapshot = Path(sys.argv[2])
    for name in sys.argv[3:]:
        found = try_to_load_from_cache(REPOSITORY, name, repo_type="dataset")
        assert isinstance(found, str) and Path(found) == snapshot / name, found
    found = snapshot_download(REPOSITORY, repo_type="dataset", local_files_only=True)
    assert Path(found) == snapshot, found
    cache = scan_cache_dir()
    assert [repository.repo_type for repository in cache.repos] == ["dataset"] and not cache.warnings, cache
elif sys.argv[1] == "snapshot-data":
    print(snapshot_download(REPOSITORY, repo_type="dataset"))
else:
    print(snapshot_download(REPOSITORY))
