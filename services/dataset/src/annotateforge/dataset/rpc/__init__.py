"""The handlers of DatasetService: check, call, convert."""
