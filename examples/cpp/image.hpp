// Images: read, and brought to a size as Pillow does it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct Image {
    int width = 0, height = 0;
    std::vector<std::uint8_t> pixels;  // rows of red, green, blue
};

// Reads a PNG file of 8-bit colours or greys without transparency. Throws std::runtime_error for anything else: put the reader of
// your camera here. What it gives must stand upright.
Image read_image(const std::string& path);

// Resizes with antialiasing by the filter "bicubic" or "bilinear": columns first, then rows, rounded to 8 bits after each.
Image resized(const Image& image, int width, int height, const std::string& filter);
