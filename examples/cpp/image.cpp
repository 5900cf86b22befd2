#include "image.hpp"

#include <png.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

Image read_image(const std::string& path) {
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    if (!png_image_begin_read_from_file(&png, path.c_str())) {
        throw std::runtime_error(path + " is no PNG file that can be read: " + png.message);
    }
    if (png.format & (PNG_FORMAT_FLAG_LINEAR | PNG_FORMAT_FLAG_ALPHA)) {
        png_image_free(&png);
        throw std::runtime_error(path + " has 16-bit colours or transparency: this example reads 8-bit colours and greys");
    }
    png.format = PNG_FORMAT_RGB;
    Image image{static_cast<int>(png.width), static_cast<int>(png.height), std::vector<std::uint8_t>(PNG_IMAGE_SIZE(png))};
    if (!png_image_finish_read(&png, nullptr, image.pixels.data(), 0, nullptr)) {
        throw std::runtime_error(path + " is damaged: " + png.message);
    }
    return image;
}

namespace {

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

constexpr int kBits = 22;  // of weights, behind the point

// What one pixel of the result is made of: pixels from `first` on, with these weights.
struct Window {
    int first;
    std::vector<std::int32_t> weights;
};

std::vector<Window> windows(int from, int to, const std::string& filter) {
    const bool bicubic = filter == "bicubic";
    if (!bicubic && filter != "bilinear") throw std::runtime_error("the filter " + filter + " is not known here");
    const double scale = static_cast<double>(from) / to, stretch = std::max(scale, 1.0);
    const double support = (bicubic ? 2.0 : 1.0) * stretch;
    std::vector<Window> all;
    for (int place = 0; place < to; ++place) {
        const double center = (place + 0.5) * scale;
        const int first = std::max(0, static_cast<int>(center - support + 0.5));
        const int end = std::min(from, static_cast<int>(center + support + 0.5));
        std::vector<double> weights;
        double sum = 0;
        for (int pixel = first; pixel < end; ++pixel) {
            const double x = (pixel - center + 0.5) / stretch;
            weights.push_back(bicubic ? cubic(x) : triangle(x));
            sum += weights.back();
        }
        Window window{first, {}};
        for (double weight : weights) {
            const double whole = weight / sum * (1 << kBits);
            window.weights.push_back(static_cast<std::int32_t>(whole + (whole < 0 ? -0.5 : 0.5)));
        }
        all.push_back(std::move(window));
    }
    return all;
}

std::uint8_t weighted(const Window& window, const std::uint8_t* pixels, std::size_t step) {
    std::int64_t sum = 1 << (kBits - 1);
    for (std::size_t number = 0; number < window.weights.size(); ++number) {
        sum += static_cast<std::int64_t>(window.weights[number]) * pixels[(window.first + number) * step];
    }
    return static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> kBits, 0, 255));
}

}  // namespace

Image resized(const Image& image, int width, int height, const std::string& filter) {
    Image across{width, image.height, std::vector<std::uint8_t>(std::size_t(3) * width * image.height)};
    const auto columns = windows(image.width, width, filter);
    for (int row = 0; row < image.height; ++row) {
        for (int column = 0; column < width; ++column) {
            for (int colour = 0; colour < 3; ++colour) {
                const auto* line = image.pixels.data() + std::size_t(3) * row * image.width + colour;
                across.pixels[std::size_t(3) * (std::size_t(row) * width + column) + colour] = weighted(columns[column], line, 3);
            }
        }
    }
    Image made{width, height, std::vector<std::uint8_t>(std::size_t(3) * width * height)};
    const auto rows = windows(image.height, height, filter);
    for (int row = 0; row < height; ++row) {
        for (std::size_t place = 0; place < std::size_t(3) * width; ++place) {
            made.pixels[std::size_t(3) * row * width + place] = weighted(rows[row], across.pixels.data() + place, std::size_t(3) * width);
        }
    }
    return made;
}
