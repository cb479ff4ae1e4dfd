"""The Open Inference Protocol, version 2: what its REST routes read and write.

    body -> Message -> pixels -> logits -> [Tensor] -> body

A body is JSON, or a JSON head with the tensors' bytes behind it (Triton's binary extension), in
both directions. https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""
