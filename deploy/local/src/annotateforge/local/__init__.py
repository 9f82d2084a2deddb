"""The supervisor behind annotateforge up: everything on one machine as child processes."""
