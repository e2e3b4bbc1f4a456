// Requests of the Open Inference Protocol, as tests need them.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "inference/grpc_service.pb.h"
#include "model/spec/model_spec.h"

namespace digit {

// Elements as a raw tensor has them.
template <typename T>
std::string RawOf(const std::vector<T>& elements) {
  return {reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T)};
}

inline std::string RawBytesOf(const std::vector<std::string>& elements) {
  std::string raw;
  for (const std::string& element : elements) {
    raw += RawOf<uint32_t>({static_cast<uint32_t>(element.size())}) + element;
  }
  return raw;
}

// Pictures whose classes, for a FakeEngine, are `c`, c + 1, ...; never blank.
inline std::string PixelsOf(int c, int images = 1) {
  std::string bytes(static_cast<size_t>(images) * kImagePixels, '\0');
  for (int i = 0; i < images; ++i) bytes[static_cast<size_t>(i) * kImagePixels] = static_cast<char>(10 + c + i);
  return bytes;
}

// A 28x28 PGM file of the same picture: dark border, so it is taken as it is.
inline std::string PgmOf(int c) { return "P5 28 28 255\n" + PixelsOf(c).substr(0, 400) + std::string(384, '\xff'); }

inline inference::ModelInferRequest RequestOf(absl::string_view name, absl::string_view datatype,
                                              const std::vector<int64_t>& shape) {
  inference::ModelInferRequest request;
  auto* input = request.add_inputs();
  input->set_name(std::string(name));
  input->set_datatype(std::string(datatype));
  for (int64_t dim : shape) input->add_shape(dim);
  return request;
}

// `images` raw UINT8 pictures of the classes `c`, c + 1, ...
inline inference::ModelInferRequest PixelsRequest(int c, int images = 1) {
  inference::ModelInferRequest request = RequestOf("pixels", "UINT8", {images, 28, 28});
  request.add_raw_input_contents(PixelsOf(c, images));
  return request;
}

inline inference::ModelInferRequest ImagesRequest(const std::vector<std::string>& files) {
  inference::ModelInferRequest request = RequestOf("images", "BYTES", {static_cast<int64_t>(files.size())});
  request.add_raw_input_contents(RawBytesOf(files));
  return request;
}

// The elements of output `name`, which must be there.
template <typename T>
std::vector<T> ElementsOf(const inference::ModelInferResponse& response, absl::string_view name) {
  for (int i = 0; i < response.outputs_size(); ++i) {
    if (response.outputs(i).name() != name) continue;
    const std::string& raw = response.raw_output_contents(i);
    std::vector<T> elements(raw.size() / sizeof(T));
    std::memcpy(elements.data(), raw.data(), elements.size() * sizeof(T));
    return elements;
  }
  return {};
}

inline std::vector<std::string> BytesOf(const inference::ModelInferResponse& response, absl::string_view name) {
  const std::vector<char> raw = ElementsOf<char>(response, name);
  std::vector<std::string> elements;
  for (size_t at = 0; at + 4 <= raw.size();) {
    uint32_t length = 0;
    std::memcpy(&length, raw.data() + at, 4);
    elements.emplace_back(raw.data() + at + 4, length);
    at += 4 + length;
  }
  return elements;
}

}  // namespace digit
