// The design tokens. Templates use them by name only; static/css/input.css applies them to Basecoat's components.
// They replace Tailwind's own palette, so no other colour is available.

/** @type {import('tailwindcss').Config} */
export default {
  content: ["./views/**/*.templ"],
  theme: {
    colors: {
      transparent: "transparent",
      current: "currentColor",
      canvas: "#F0F0E8",
      ink: "#000000",
      body: "oklch(38% .018 264)",
      white: "#FFFFFF",
      panel: { DEFAULT: "#E5E5E0", active: "#D8D8D2" },
      primary: { DEFAULT: "#1D4ED8", hover: "#1E40AF", foreground: "#FFFFFF" },
      success: "#15803D",
      warning: { DEFAULT: "#F97316", text: "#C2410C" },
      danger: { DEFAULT: "#DC2626", text: "#B91C1C" },

      // Basecoat's names for the same colours.
      background: "#FFFFFF",
      foreground: "#000000",
      border: "#000000",
      ring: "#1D4ED8",
      destructive: "#B91C1C",
      muted: { DEFAULT: "#E5E5E0", foreground: "oklch(38% .018 264)" },
    },
    fontFamily: {
      sans: ['"Inter Variable"', "system-ui", "sans-serif"],
      serif: ["Georgia", '"Times New Roman"', "serif"],
      mono: ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", '"Liberation Mono"', "monospace"],
    },
    borderRadius: { none: "0", full: "0" },
    boxShadow: {
      none: "none",
      btn: "2px 2px 0 0 #000000",
      card: "4px 4px 0 0 #000000",
      page: "8px 8px 0 0 #000000",
    },
  },
};
