"""Whether this device is protected: what is known of it, and how that is judged."""
