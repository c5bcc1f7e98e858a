"""The paper's tables, figures and claims, from what the pipeline has measured."""
