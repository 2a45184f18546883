"""The record of what happened on this device, and its ways to others."""
