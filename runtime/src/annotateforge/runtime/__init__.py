"""What every service needs: settings, errors, database, bus, blobs, server, auth and telemetry."""
