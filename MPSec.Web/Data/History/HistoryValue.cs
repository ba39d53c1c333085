namespace MPSec.Data.History;

/// <summary>
/// A value as history stores it: sign, exponent and 14 significant bits of a double as one whole number that grows with the value. The relative error is
/// at most 2^-14 (0.006 %), whole numbers up to 16,384 are exact, and the difference of two neighbours is small.
/// </summary>
internal static class HistoryValue
{
    private const int Dropped = 39; // of the 52 bits of a double's fraction

    public static int Encode(double value)
    {
        var bits = BitConverter.DoubleToInt64Bits(Math.Abs(value));
        var code = (int)Math.Min((bits + (1L << (Dropped - 1))) >> Dropped, (0x7FFL << 13) - 1);
        return value < 0 ? -code : code;
    }

    public static double Decode(int code)
    {
        var value = BitConverter.Int64BitsToDouble((long)Math.Abs(code) << Dropped);
        return code < 0 ? -value : value;
    }
}
