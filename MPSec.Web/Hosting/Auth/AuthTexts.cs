namespace MPSec.Hosting.Auth;

/// <summary>Marker of the texts of sign-in and set-up (<c>AuthTexts.resx</c>, <c>AuthTexts.ko.resx</c>).</summary>
public sealed class AuthTexts;
