#include "model/training/torch_step.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "model/spec/model_spec.h"
#include "model/training/augmentation.h"
#include "model/training/digit_cnn_step.h"
#include "model/training/epoch_plan.h"

namespace digit {
namespace {

constexpr int kClasses = kDigitCnnClasses;
constexpr float kCentre = (kImageSide - 1) / 2.0f;  // as in augmentation.cc
constexpr int kRates = 4;

template <typename T>
at::Tensor OnTheCpu(const std::vector<T>& values, at::IntArrayRef shape) {  // a view: `values` must live on
  return at::from_blob(const_cast<T*>(values.data()), shape,
                       at::TensorOptions().dtype(c10::CppTypeToScalarType<T>::value));
}

void CopyTo(const std::vector<float>& values, at::Tensor* tensor) {
  tensor->copy_(OnTheCpu(values, {static_cast<int64_t>(values.size())}));
}

void CopyFrom(const at::Tensor& tensor, std::vector<float>* values) {
  const at::Tensor on_cpu = tensor.cpu();
  std::copy_n(on_cpu.data_ptr<float>(), values->size(), values->begin());
}

std::vector<float> Targets(float smoothing) {
  std::vector<float> targets((kClasses + 1) * (kClasses + 1));
  for (int label = 0; label < kClasses; ++label) {
    float* row = &targets[label * (kClasses + 1)];
    std::fill_n(row, kClasses, -smoothing / kClasses);
    row[label] -= 1 - smoothing;
    row[kClasses] = 1;
  }
  return targets;
}

std::vector<float> Corner() {
  std::vector<float> corner(3 * kInputSize);
  for (int i = 0; i < kInputSize; ++i) {
    corner[i] = (i % kInputSide - kCentre) / kCentre;
    corner[kInputSize + i] = (i / kInputSide - kCentre) / kCentre;
    corner[2 * kInputSize + i] = 1 / kCentre;
  }
  return corner;
}

}  // namespace

TorchStep::TorchStep(const Recipe& recipe, const LabeledImages& images, absl::Span<const uint8_t> non_digits,
                     const at::Device& device)
    : recipe_(recipe),
      images_(images.size()),
      non_digits_(static_cast<int>(non_digits.size() / kImagePixels)),
      steps_per_epoch_(StepsPerEpoch(recipe, images.size())),
      weight_(at::zeros({kParameters}, at::TensorOptions(device).dtype(at::kFloat))),
      momentum_(at::zeros_like(weight_)),
      variance_(at::zeros_like(weight_)),
      average_(at::zeros_like(weight_)),
      gradient_(at::zeros_like(weight_)),  // what pads fc2's bias stays 0
      weight_views_(weight_),
      gradient_views_(gradient_) {
  DIGIT_CHECK(recipe.augmentation.warp_pixels == 0 && steps_per_epoch_ >= 1);
  DIGIT_CHECK(recipe.non_digits == 0 || non_digits_ >= 1);
  std::vector<uint8_t> pixels = images.pixels;
  pixels.insert(pixels.end(), non_digits.begin(), non_digits.end());
  std::vector<int64_t> labels(images_ + non_digits_, kClasses);
  std::transform(images.labels.begin(), images.labels.end(), labels.begin(),
                 [](uint8_t label) { return label == kNoDigit ? int64_t{kClasses} : int64_t{label}; });
  pixels_ = OnTheCpu(pixels, {images_ + non_digits_, kImagePixels}).to(device, /*non_blocking=*/false, /*copy=*/true);
  labels_ = OnTheCpu(labels, {images_ + non_digits_}).to(device, false, true);
  targets_ = OnTheCpu(Targets(recipe.label_smoothing), {kClasses + 1, kClasses + 1}).to(device, false, true);
  corner_ = OnTheCpu(Corner(), {3, kInputSize}).to(device, false, true);
  const at::TensorOptions floats = at::TensorOptions(device).dtype(at::kFloat);
  rows_ = at::empty({steps_per_epoch_, recipe.batch_images}, floats.dtype(at::kLong));
  affine_ = at::empty({steps_per_epoch_, recipe.batch_images * 6}, floats);
  rates_ = at::empty({steps_per_epoch_, kRates}, floats);
  step_ = at::zeros({1}, floats.dtype(at::kLong));
  loss_sum_ = at::zeros({}, floats.dtype(at::kDouble));
  right_ = at::zeros({}, floats.dtype(at::kLong));
}

void TorchStep::Load(const TrainingState& state) {
  CopyTo(state.weight, &weight_);
  CopyTo(state.momentum, &momentum_);
  CopyTo(state.variance, &variance_);
  CopyTo(state.average, &average_);
  loss_sum_.fill_(state.loss_sum);
  right_.fill_(state.right);
  step_.fill_(state.step % steps_per_epoch_);
  LoadPlan(state.step / steps_per_epoch_);
}

void TorchStep::LoadPlan(int64_t epoch) {
  const EpochPlan plan(recipe_, images_, non_digits_, epoch);
  std::vector<int64_t> rows;
  std::vector<float> affine, rates;
  rows.reserve(rows_.numel());
  affine.reserve(affine_.numel());
  for (int64_t step = 0; step < steps_per_epoch_; ++step) {
    for (int place = 0; place < recipe_.batch_images; ++place) {
      PlannedPicture picture = plan.At(step, place);
      rows.push_back(int64_t{picture.index} + (picture.is_non_digit ? images_ : 0));
      const Affine a = DrawAffine(recipe_.augmentation, &picture.random);
      affine.insert(affine.end(), {a.xx, a.xy, a.dx, a.yx, a.yy, a.dy});
    }
    const AdamStep adam = AdamStepAt(recipe_, epoch * steps_per_epoch_ + step, steps_per_epoch_ * recipe_.epochs);
    rates.insert(rates.end(), {1.0f - adam.learning_rate * adam.weight_decay, -adam.learning_rate / adam.correction1,
                               1.0f / adam.correction2, adam.average_rate});
  }
  rows_.copy_(OnTheCpu(rows, rows_.sizes()));
  affine_.copy_(OnTheCpu(affine, affine_.sizes()));
  rates_.copy_(OnTheCpu(rates, rates_.sizes()));
}

void TorchStep::Run() {
  const at::Tensor rows = NextRows();
  const NetworkPass pass = ForwardPass(weight_views_, Deformed(rows));
  BackwardPass(weight_views_, pass, LossGradient(pass.logits, rows), &gradient_views_);
  Update();
  step_.add_(1);
}

at::Tensor TorchStep::NextInput() const { return Deformed(NextRows()); }

// As Augment() does it: bilinear, and outside is paper.
at::Tensor TorchStep::Deformed(const at::Tensor& rows) const {
  const int64_t n = rows.size(0);
  const at::Tensor pictures = pixels_.index_select(0, rows).mul(1 / 255.0f).view({n, 1, kImageSide, kImageSide});
  // For each pixel of the result, where it lies in the original, -1 and 1 being the outermost pixels.
  const at::Tensor places = at::mm(OfThisStep(affine_).view({n * 2, 3}), corner_);
  return at::grid_sampler_2d(pictures, places.view({n, 2, kInputSide, kInputSide}).permute({0, 2, 3, 1}),
                             /*interpolation_mode=*/0, /*padding_mode=*/0, /*align_corners=*/true)
      .squeeze(1);
}

// The loss of Backward() in digit_cnn_step.h: adds to the sums, and answers the gradient with respect to `logits`.
at::Tensor TorchStep::LossGradient(const at::Tensor& logits, const at::Tensor& rows) {
  const at::Tensor labels = labels_.index_select(0, rows);
  const at::Tensor of_label = targets_.index_select(0, labels);
  const at::Tensor minus_target = of_label.narrow(1, 0, kClasses), is_digit = of_label.narrow(1, kClasses, 1);
  const at::Tensor log_shares = at::log_softmax(logits, 1);
  const at::Tensor energy = logits.narrow(1, 0, 1) - log_shares.narrow(1, 0, 1);  // log(sum(exp(logit)))
  loss_sum_.add_(at::mul(minus_target, log_shares).sum(at::kDouble));
  right_.add_(logits.argmax(1).eq(labels).sum());
  // (is_digit + kEnergyWeight * (sigmoid(energy) - is_digit)) * share - target
  const at::Tensor factor = at::lerp(is_digit, energy.sigmoid(), kEnergyWeight);
  return at::addcmul(minus_target, log_shares.exp(), factor).mul_(1.0 / recipe_.batch_images);
}

// UpdateWeights() of dense_kernels.h.
void TorchStep::Update() {
  const at::Tensor rates = OfThisStep(rates_);
  const at::Tensor keep = rates.narrow(0, 0, 1), minus_rate = rates.narrow(0, 1, 1);
  const at::Tensor variance_scale = rates.narrow(0, 2, 1), average_rate = rates.narrow(0, 3, 1);
  momentum_.lerp_(gradient_, 1.0f - recipe_.beta1);
  variance_.lerp_(gradient_.square(), 1.0f - recipe_.beta2);
  const at::Tensor scale = (variance_ * variance_scale).sqrt_().add_(AdamStep().epsilon);
  weight_.mul_(keep).addcdiv_(momentum_ * minus_rate, scale);
  average_.lerp_(weight_, average_rate);
}

void TorchStep::ReadSums(TrainingState* state) const {
  state->loss_sum = loss_sum_.item<double>();
  state->right = right_.item<int64_t>();
}

void TorchStep::Store(TrainingState* state) const {
  ReadSums(state);
  CopyFrom(weight_, &state->weight);
  CopyFrom(momentum_, &state->momentum);
  CopyFrom(variance_, &state->variance);
  CopyFrom(average_, &state->average);
}

}  // namespace digit
