// What this server says of its models in the Open Inference Protocol. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "daemon/registry/model_registry.h"
#include "inference/grpc_service.pb.h"

namespace digit {

// Name, tensors, properties; not the versions.
void EncodeMetadata(const LiveModel& model, inference::ModelMetadataResponse* out);

void EncodeConfig(const LiveModel& model, int max_images_per_call, inference::ModelConfig* out);

// Adds the versions of one model.
void EncodeIndex(const ModelDescription& model, bool ready_only, inference::RepositoryIndexResponse* out);

// What was counted of one version; `wall_now` and `now` are the same moment.
void EncodeStatistics(const LiveModel& model, absl::Time wall_now, SteadyTime now, inference::ModelStatistics* out);

// Of RepositoryModelLoad and -Unload. INVALID_ARGUMENT names the parameter: models come from this server's files.
absl::Status CheckRepositoryParameters(
    const google::protobuf::Map<std::string, inference::ModelRepositoryParameter>& parameters);

// UNIMPLEMENTED unless it is empty.
absl::Status CheckRepositoryName(absl::string_view name);

}  // namespace digit
