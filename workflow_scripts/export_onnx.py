"""Write a trained model as ONNX."""

from motifloom.jobs import job

with job(snakemake):
    from motifloom.onnx_export import export_onnx

    export_onnx(snakemake.input.weights, snakemake.output.onnx)
