using StbImageSharp;

/// <summary>An image: rows of red, green and blue, 8 bits each, upright.</summary>
public sealed record Pixels(int Width, int Height, byte[] Values)
{
    /// <summary>Read a PNG or JPEG file. EXIF orientations are not obeyed: turn such images first.</summary>
    public static Pixels Read(string path)
    {
        using var file = File.OpenRead(path);
        var image = ImageResult.FromStream(file, ColorComponents.RedGreenBlue);
        return new Pixels(image.Width, image.Height, image.Data);
    }

    /// <summary>Resized as Pillow does it: with antialiasing, columns first, then rows, rounded to 8 bits after each.</summary>
    public Pixels Resized(int width, int height, string filter)
    {
        var columns = Windows(Width, width, filter);
        var across = new byte[3 * width * Height];
        for (var row = 0; row < Height; row++)
            for (var column = 0; column < width; column++)
                for (var colour = 0; colour < 3; colour++)
                    across[3 * (row * width + column) + colour] = Weighted(columns[column], Values, 3 * row * Width + colour, 3);
        var rows = Windows(Height, height, filter);
        var made = new byte[3 * width * height];
        for (var row = 0; row < height; row++)
            for (var place = 0; place < 3 * width; place++)
                made[3 * row * width + place] = Weighted(rows[row], across, place, 3 * width);
        return new Pixels(width, height, made);
    }

    private const int Bits = 22; // of weights, behind the point

    /// <summary>What a pixel of the result is made of: pixels from First on, with these weights.</summary>
    private readonly record struct Window(int First, int[] Weights);

    private static Window[] Windows(int from, int to, string filter)
    {
        var bicubic = filter == "bicubic";
        if (!bicubic && filter != "bilinear") throw new NotSupportedException($"the filter {filter} is not known here");
        double scale = (double)from / to, stretch = Math.Max(scale, 1), support = (bicubic ? 2 : 1) * stretch;
        return Enumerable.Range(0, to).Select(place =>
        {
            var center = (place + 0.5) * scale;
            var first = Math.Max(0, (int)(center - support + 0.5));
            var end = Math.Min(from, (int)(center + support + 0.5));
            var weights = Enumerable.Range(first, end - first)
                .Select(pixel => (pixel - center + 0.5) / stretch)
                .Select(x => bicubic ? Cubic(Math.Abs(x)) : Math.Max(0, 1 - Math.Abs(x))).ToArray();
            var sum = weights.Sum();
            return new Window(first, weights.Select(weight => Whole(weight / sum * (1 << Bits))).ToArray());
        }).ToArray();
    }

    private static double Cubic(double x) =>
        x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;

    private static int Whole(double value) => (int)(value + (value < 0 ? -0.5 : 0.5));

    private static byte Weighted(Window window, byte[] pixels, int first, int step)
    {
        long sum = 1 << (Bits - 1);
        for (var number = 0; number < window.Weights.Length; number++)
            sum += (long)window.Weights[number] * pixels[first + (window.First + number) * step];
        return (byte)Math.Clamp(sum >> Bits, 0, 255);
    }
}
