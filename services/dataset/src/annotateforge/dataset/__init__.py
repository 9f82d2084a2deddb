"""Projects, images and annotations; frozen datasets and their archives."""
