// Whether an engine computes what the model says: run once per engine kind and version, before anything is served.
#pragma once

#include "absl/status/status.h"
#include "model/engine/inference_engine.h"
#include "model/engine/model.h"

namespace digit {

// Runs the reference inputs of model.spec, in batches of 1, 2, 4, ... images. A row passes when every output lies
// within 1e-4 (of an engine of half precision 2e-2) * max(1, largest |logit| of the row) of the reference and its class
// is the reference's, or one that the reference puts no further than that behind its first.
//
// Without reference logits: generated inputs, whose outputs must be finite and, for the digit network, pass in the same
// way against ScalarForward().
//
// INVALID_ARGUMENT says which image, which output and by how much; the engine's own errors are passed on. Needs a spec
// with labels (FitSpec). Takes some 64 images' time, with ScalarForward() some 25 ms.
absl::Status CheckReference(InferenceEngine& engine, const Model& model);

}  // namespace digit
