"""The Hub's device flow; it has no ID token. HF_ENDPOINT and HF_HOME come from the environment."""

from huggingface_hub import login

login()
