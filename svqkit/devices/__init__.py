"""How a model is computed: by one process or several, on a CPU or a GPU, faster and with the same results."""
