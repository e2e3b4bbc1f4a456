#include "client/ctl/bench/messages.h"

#include "digit/v1/digit.pb.h"

namespace digit {
namespace {

void AddPicture(const BenchPicture& picture, bool encoded, bool packed, v1::RecognizeRequest* request) {
  if (encoded) {
    request->add_images()->set_encoded(picture.bytes);
  } else if (packed) {
    request->mutable_packed_pixels()->append(picture.bytes);
  } else {
    request->add_images()->set_pixels(picture.bytes);
  }
}

grpc::Slice Shared(const std::string& bytes) { return {bytes.data(), bytes.size(), grpc::Slice::STATIC_SLICE}; }

}  // namespace

MessageSet::MessageSet(const BenchPictures& pictures, const BenchOptions& options, const std::string& model,
                       const std::string& version, absl::Duration timeout)
    : images_per_message_(options.images_per_message), pictures_(static_cast<int>(pictures.pictures.size())) {
  const bool stream = options.mode == BenchMode::kStream;
  const bool packed = options.mode == BenchMode::kPacked || images_per_message_ > 1;
  const int messages = (pictures_ + images_per_message_ - 1) / images_per_message_;
  v1::RecognizeStreamRequest wish;
  wish.mutable_request()->mutable_options()->set_include_timing(true);
  timed_suffix_ = stream ? wish.SerializeAsString() : wish.request().SerializeAsString();
  bodies_.reserve(messages);  // no string moves once a buffer points into it
  for (int m = 0; m < messages; ++m) {
    v1::RecognizeStreamRequest message;
    v1::RecognizeRequest* request = message.mutable_request();
    request->set_model(model);
    request->set_version(version);
    for (int i = 0; i < images_per_message_; ++i) {
      AddPicture(pictures.pictures[Picture(m, i)], pictures.encoded, packed, request);
    }
    const int64_t nanos = absl::ToInt64Nanoseconds(timeout);
    message.mutable_timeout()->set_seconds(nanos / 1'000'000'000);
    message.mutable_timeout()->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
    bodies_.push_back(stream ? message.SerializeAsString() : request->SerializeAsString());
  }
}

grpc::ByteBuffer MessageSet::Unary(int m, bool timed) const {
  const grpc::Slice slices[] = {Shared(bodies_[m]), Shared(timed_suffix_)};
  return {slices, timed ? size_t{2} : size_t{1}};
}

grpc::ByteBuffer MessageSet::Streamed(int m, bool timed, uint64_t id) const {
  v1::RecognizeStreamRequest with_id;
  with_id.set_id(id);
  const grpc::Slice slices[] = {Shared(bodies_[m]), grpc::Slice(with_id.SerializeAsString()), Shared(timed_suffix_)};
  return {slices, timed ? size_t{3} : size_t{2}};
}

}  // namespace digit
