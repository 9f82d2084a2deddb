from pathlib import Path

from annotateforge.trainer.worker.environment import child_environment


def environment(threads: int | None = 2, **inherited: str) -> dict[str, str]:
    return child_environment(inherited, Path("/scratch"), Path("/cache"), threads)


def test_tokens_and_keys_do_not_reach_the_child() -> None:
    variables = environment(
        ANNOTATEFORGE_WORKER_TOKEN="t", ULTRALYTICS_API_KEY="k", WANDB_API_KEY="w", PATH="/bin"
    )
    assert variables["PATH"] == "/bin"
    assert not {"ANNOTATEFORGE_WORKER_TOKEN", "ULTRALYTICS_API_KEY", "WANDB_API_KEY"} & set(variables)


def test_ultralytics_is_told_to_stay_offline_and_to_keep_its_settings_in_the_scratch_folder() -> None:
    variables = environment()
    assert variables["YOLO_OFFLINE"] == "true"
    assert variables["YOLO_AUTOINSTALL"] == "false"
    assert variables["YOLO_CONFIG_DIR"] == "/scratch"
    assert variables["MPLBACKEND"] == "Agg"


def test_what_was_set_for_another_ultralytics_is_left_out() -> None:
    variables = environment(YOLO_VERBOSE="false", YOLO_CONFIG_DIR="/elsewhere")
    assert "YOLO_VERBOSE" not in variables
    assert variables["YOLO_CONFIG_DIR"] == "/scratch"


def test_temporary_files_go_with_the_attempt_where_sockets_still_have_room() -> None:
    assert environment()["TMPDIR"] == "/scratch"
    deep = Path("/" + "d" * 100)
    assert "TMPDIR" not in child_environment({}, deep, Path("/cache"), 1)


def test_threads_are_set_for_cpus_alone() -> None:
    assert environment(threads=3)["OMP_NUM_THREADS"] == "3"
    assert "OMP_NUM_THREADS" not in environment(threads=None)


def test_torch_numbers_the_gpus_as_nvidia_smi_does_whatever_was_inherited() -> None:
    assert environment(CUDA_DEVICE_ORDER="FASTEST_FIRST")["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
