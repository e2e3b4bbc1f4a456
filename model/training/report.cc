#include "model/training/report.h"

namespace digit {
std::string FormatReport(const ReportInputs& inputs) { return inputs.spec.recipe; }
}  // namespace digit
